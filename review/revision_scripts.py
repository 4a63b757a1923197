"""The revisions of an Alembic project, loaded by Alembic, in the order of an upgrade."""

import sys
import warnings
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import takewhile
from pathlib import Path
from traceback import extract_tb

from alembic.config import Config
from alembic.runtime.migration import MigrationStep
from alembic.script import Script, ScriptDirectory
from alembic.util import CommandError

from rds_alembic.revisions import revision_ids
from review import files_read
from review.errors import ReviewError


@dataclass(frozen=True)
class RevisionScripts:
    """The alembic.ini of a project, and its scripts. `sys_path` has the folders of `prepend_sys_path`."""

    ini: Path
    config: Config
    directory: ScriptDirectory
    sys_path: tuple[str, ...]

    @classmethod
    def read(cls, ini: Path) -> "RevisionScripts":
        """Load all revisions. Raises ReviewError for files that Alembic cannot load, and for invalid revision ids."""
        toml = ini.resolve().with_name("pyproject.toml")
        if not ini.is_file() and not toml.is_file():
            raise ReviewError(f"--config must be the alembic.ini of a project (got {ini}, which does not exist)")
        file = str(ini.resolve()) if ini.is_file() else None
        config, directory = Config(file, toml_file=toml if toml.is_file() else None), None
        with _restored_path(), files_read.observe():
            try:
                with _strict_loading():
                    directory = ScriptDirectory.from_config(config)
                    scripts = list(directory.walk_revisions())
            except Exception as exc:  # the scripts are the user's code, and may raise any exception
                if problems := revision_ids.problems_below(*_folders(directory)):
                    raise ReviewError("; ".join(problems)) from exc
                reason = format_error(exc, ini.resolve().parent)
                raise ReviewError(f"cannot read the revisions of {ini}: {reason}") from exc
            sys_path = tuple(sys.path)
        if problems := revision_ids.problems((script.revision, Path(script.path)) for script in scripts):
            raise ReviewError("; ".join(problems))
        return cls(ini.resolve(), config, directory, sys_path)

    @cached_property
    def root(self) -> Path:
        """Return the root folder of the repository, or the folder of alembic.ini."""
        folders = [folder for folder in self.ini.parents if (folder / ".git").exists()]
        return folders[0] if folders else self.ini.parent

    @property
    def heads(self) -> tuple[str, ...]:
        """Return the heads, sorted. A project with several heads cannot be deployed."""
        return tuple(sorted(self.directory.get_heads()))

    @cached_property
    def revisions(self) -> tuple[Script, ...]:
        """Return all revisions, in the order of an upgrade from an empty database."""
        return tuple(self.directory.iterate_revisions("heads", "base"))[::-1]

    def after(self, start: Collection[str]) -> tuple[Script, ...]:
        """Return the revisions that an upgrade of a database with some revisions and their ancestors runs, in order."""
        applied: set[str] = set()
        for script in reversed(self.revisions):
            if script.revision in start and script.revision not in applied:
                applied |= {ancestor.revision for ancestor in self.directory.iterate_revisions(script.revision, "base")}
        return tuple(script for script in self.revisions if script.revision not in applied)

    def before_first(self, is_first: Callable[[str], bool]) -> tuple[str, ...]:
        """Return the revisions that an upgrade runs before the first one for which `is_first` is true."""
        return tuple(takewhile(lambda revision: not is_first(revision), (script.revision for script in self.revisions)))

    def step(self, script: Script) -> MigrationStep:
        """Return the upgrade to a revision, for `MigrationContext`."""
        return MigrationStep.upgrade_from_script(self.directory.revision_map, script)

    def resolve(self, revision: str, setting: str) -> tuple[str, ...]:
        """Return the ids that a revision id, the start of an id, `base` or `heads` stands for.

        Raises ReviewError for a revision that does not exist, with the name of the setting.
        """
        try:
            return tuple(script.revision for script in self.directory.get_revisions(revision))
        except CommandError as exc:
            examples = ", ".join(["base", *(script.revision for script in self.revisions[-5:])])
            raise ReviewError(
                f"{setting} must be a revision of {self.ini} (got {revision!r}: {exc}); for example {examples}"
            ) from exc

    def option(self, name: str) -> str:
        """Return an option of [alembic] in alembic.ini, or of [tool.alembic] in pyproject.toml, or an empty text."""
        return str(self.config.get_alembic_option(name) or "").strip()

    @contextmanager
    def importable(self) -> Iterator[None]:
        """Let env.py and the revisions import what they import on the command line of Alembic."""
        with _restored_path():
            sys.path[:] = self.sys_path
            yield


def format_error(exc: BaseException, folder: Path) -> str:
    """Return the type, the message and the innermost line in the project's own files as one line."""
    frames = [(Path(frame.filename), frame.lineno) for frame in extract_tb(exc.__traceback__)]
    own = [(path, line) for path, line in frames if path.is_relative_to(folder) and "site-packages" not in path.parts]
    position = f" ({own[-1][0].relative_to(folder)}:{own[-1][1]})" if own else ""
    advice = "; install it into .venv, or add its folder to prepend_sys_path" * isinstance(exc, ModuleNotFoundError)
    return " ".join(f"{type(exc).__name__}: {exc}{position}{advice}".split())


def _folders(directory: ScriptDirectory | None) -> list[Path]:
    return [Path(path) for path in (directory.dir, *(directory.version_locations or ()))] if directory else []


@contextmanager
def _restored_path() -> Iterator[None]:
    path = sys.path[:]
    try:
        yield
    finally:
        sys.path[:] = path


@contextmanager
def _strict_loading() -> Iterator[None]:
    """Raise Alembic's warnings about duplicate revisions and missing parents."""
    with warnings.catch_warnings():
        warnings.filterwarnings("error", category=UserWarning, message="Revision ")
        yield
