"""The revisions of an Alembic project, in the order in which an upgrade runs them."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from traceback import extract_tb
from typing import Any, Self

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from rds_alembic.revisions import revision_ids
from review.errors import ReviewError


@dataclass(frozen=True)
class History:
    """An Alembic project: its alembic.ini and its scripts."""

    ini: Path
    directory: ScriptDirectory

    @classmethod
    def read(cls, ini: Path) -> Self:
        """Load all revisions; raises ReviewError if that fails."""
        if not ini.is_file():
            raise ReviewError(f"no {ini}: allowed is the alembic.ini of a project")
        directory = None
        try:
            with _missing_parents_are_errors():
                directory = ScriptDirectory.from_config(Config(str(ini)))
                scripts = list(directory.walk_revisions())
        except Exception as exc:  # a script is somebody's code and may fail in any way
            if problems := revision_ids.problems_below(*_folders(directory)):
                raise ReviewError("; ".join(problems)) from exc
            reason = f"{type(exc).__name__}: {exc}{_place(exc, ini.resolve().parent)}"
            raise ReviewError(f"the revisions of {ini} cannot be read: {reason}") from exc
        if problems := revision_ids.problems((script.revision, Path(script.path)) for script in scripts):
            raise ReviewError("; ".join(problems))
        return cls(ini.resolve(), directory)

    @property
    def heads(self) -> tuple[str, ...]:
        """Return the revisions that no other follows: more than one cannot be deployed."""
        return tuple(sorted(self.directory.get_heads()))

    @cached_property
    def scripts(self) -> tuple[Script, ...]:
        """Return all revisions, in the order in which an upgrade from nothing runs them."""
        return tuple(step.revision for step in self.steps(()))

    def steps(self, heads: tuple[str, ...]) -> list[Any]:
        """Return Alembic's steps from `heads` to the heads of the project."""
        # What alembic.command.upgrade calls, with the same tuple; its annotation is narrower than its use.
        return list(self.directory._upgrade_revs("heads", heads))  # type: ignore[arg-type] # noqa: SLF001

    def after(self, start: str) -> frozenset[str]:
        """Return the revisions that an upgrade from `start` runs: a revision id, or part of one, or `base`.

        Raises ReviewError for a revision that does not exist.
        """
        try:
            heads = tuple(script.revision for script in self.directory.get_revisions(start))
            return frozenset(step.revision.revision for step in self.steps(heads))
        except CommandError as exc:
            known = ", ".join(["base", *(script.revision for script in self.scripts[-5:])])
            raise ReviewError(f"no revision {start!r} in {self.ini}: {exc}; the last ones are {known}") from exc


def _folders(directory: ScriptDirectory | None) -> list[Path]:
    return [Path(path) for path in (directory.dir, *(directory.version_locations or ()))] if directory else []


def _place(exc: Exception, folder: Path) -> str:
    """Return where in the project's own files it happened, if anywhere."""
    frames = ((Path(frame.filename), frame.lineno) for frame in extract_tb(exc.__traceback__))
    ours = [found for found in frames if found[0].is_relative_to(folder) and "site-packages" not in found[0].parts]
    return f" ({ours[-1][0].relative_to(folder)}:{ours[-1][1]})" if ours else ""


@contextmanager
def _missing_parents_are_errors() -> Iterator[None]:
    """Turn into errors what Alembic only warns about: a revision that exists twice, or whose parent does not."""
    before = sys.path[:]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", category=UserWarning, message="Revision ")
            yield
    finally:
        sys.path[:] = before
