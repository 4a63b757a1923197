"""The revisions of an Alembic project, read from their files in the order of an upgrade."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from traceback import extract_tb
from typing import Self

from alembic.config import Config
from alembic.runtime.migration import MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from rds_alembic.revisions import revision_ids
from review.errors import ReviewError


@dataclass(frozen=True)
class RevisionScripts:
    """The alembic.ini of a project, and its scripts."""

    ini: Path
    directory: ScriptDirectory

    @classmethod
    def read(cls, ini: Path) -> Self:
        """Load all revisions. Raises ReviewError for files that Alembic cannot load, and for invalid revision ids."""
        if not ini.is_file():
            raise ReviewError(f"--config must be the alembic.ini of a project (got {ini}, which does not exist)")
        directory = None
        try:
            with _strict_loading():
                directory = ScriptDirectory.from_config(Config(str(ini)))
                scripts = list(directory.walk_revisions())
        except Exception as exc:  # the scripts are the user's code, and may raise any exception
            if problems := revision_ids.problems_below(*_folders(directory)):
                raise ReviewError("; ".join(problems)) from exc
            reason = f"{type(exc).__name__}: {exc}{_location(exc, ini.resolve().parent)}"
            raise ReviewError(f"cannot read the revisions of {ini}: {reason}") from exc
        if problems := revision_ids.problems((script.revision, Path(script.path)) for script in scripts):
            raise ReviewError("; ".join(problems))
        return cls(ini.resolve(), directory)

    @property
    def heads(self) -> tuple[str, ...]:
        """Return the heads, sorted. A project with several heads cannot be deployed."""
        return tuple(sorted(self.directory.get_heads()))

    @cached_property
    def revisions(self) -> tuple[Script, ...]:
        """Return all revisions, in the order of an upgrade from an empty database."""
        return self.after(())

    def after(self, heads: tuple[str, ...]) -> tuple[Script, ...]:
        """Return the revisions that an upgrade of a database at `heads` runs, in their order."""
        newest_first = self.directory.iterate_revisions("heads", heads, implicit_base=True)
        return tuple(reversed(list(newest_first)))

    def upgrade_steps(self) -> list[MigrationStep]:
        """Return the steps of an upgrade from an empty database, for `MigrationContext`."""
        return [MigrationStep.upgrade_from_script(self.directory.revision_map, script) for script in self.revisions]

    def resolve(self, revision: str) -> tuple[str, ...]:
        """Return the ids that a revision id, the start of an id, `base` or `heads` stands for.

        Raises ReviewError for a revision that does not exist.
        """
        try:
            return tuple(script.revision for script in self.directory.get_revisions(revision))
        except CommandError as exc:
            examples = ", ".join(["base", *(script.revision for script in self.revisions[-5:])])
            raise ReviewError(
                f"FROM must be a revision of {self.ini} (got {revision!r}: {exc}); for example {examples}"
            ) from exc


def _folders(directory: ScriptDirectory | None) -> list[Path]:
    return [Path(path) for path in (directory.dir, *(directory.version_locations or ()))] if directory else []


def _location(exc: Exception, folder: Path) -> str:
    """Return the innermost line of the project's own files in the traceback, in parentheses, or an empty text."""
    frames = [(Path(frame.filename), frame.lineno) for frame in extract_tb(exc.__traceback__)]
    own = [(path, line) for path, line in frames if path.is_relative_to(folder) and "site-packages" not in path.parts]
    return f" ({own[-1][0].relative_to(folder)}:{own[-1][1]})" if own else ""


@contextmanager
def _strict_loading() -> Iterator[None]:
    """Raise Alembic's warnings about duplicate revisions and missing parents. Restore sys.path afterwards."""
    path = sys.path[:]
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", category=UserWarning, message="Revision ")
            yield
    finally:
        sys.path[:] = path
