"""What an Alembic project would do to a database, read at synth: no database, and env.py is not run."""

import configparser
import hashlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config
from alembic.script import Script, ScriptDirectory

from infra.errors import InfraError


@dataclass(frozen=True, kw_only=True)
class AlembicHistory:
    """The revisions from base to head, and a digest of the files that define them: a change of either is an upgrade."""

    ini: Path
    scripts: Path
    revisions: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Digest alembic.ini and the scripts, each with its path: sha256, hexadecimal."""
        summary = hashlib.sha256()
        for path in [self.ini, *_python_files(self.scripts)]:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            summary.update(f"{path.relative_to(self.ini.parent).as_posix()}\0{content}\n".encode())
        return summary.hexdigest()

    def files(self) -> dict[str, Path]:
        """Map paths in a zip to what Alembic needs there, laid out as in the project."""
        return {path.relative_to(self.ini.parent).as_posix(): path for path in (self.ini, self.scripts)}


def read(project: Path) -> AlembicHistory:
    """Read the project in a folder; refuse one that `alembic upgrade head` would not get through."""
    ini = project.resolve() / "alembic.ini"
    if not ini.is_file():
        raise InfraError(f"no alembic.ini in {project}; allowed is the folder of an alembic project")
    scripts = _script_location(ini)
    revisions = _load(ini, scripts)
    _check(revisions, scripts)
    return AlembicHistory(ini=ini, scripts=scripts, revisions=tuple(script.revision for script in revisions))


def _script_location(ini: Path) -> Path:
    """Find the scripts; a relative location counts from alembic.ini, as in the function."""
    try:
        location = Config(str(ini)).get_main_option("script_location")
    except configparser.Error as exc:
        raise InfraError(f"{ini} cannot be read: {exc}") from exc
    if not location:
        raise InfraError(f"{ini.name} has no script_location; allowed is a folder beside it")
    scripts = (ini.parent / location).resolve()
    if not scripts.is_dir() or ini.parent not in scripts.parents:
        raise InfraError(f"script_location is {location!r}; allowed is a folder below the one that has {ini.name}")
    return scripts


def _load(ini: Path, scripts: Path) -> list[Script]:
    config = Config(str(ini))
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    # What else is relative in alembic.ini counts from the current folder: a function's is that of alembic.ini.
    with warnings.catch_warnings(), _unchanged_sys_path(), chdir(ini.parent):
        # Alembic only warns about a revision that exists twice, or whose parent does not exist.
        warnings.filterwarnings("error", category=UserWarning, message="Revision ")
        try:
            newest_first = list(ScriptDirectory.from_config(config).walk_revisions())
        except Exception as exc:  # a script is somebody's code and may fail in any way
            raise InfraError(f"the scripts in {scripts} cannot be read: {type(exc).__name__}: {exc}") from exc
    return newest_first[::-1]


@contextmanager
def _unchanged_sys_path() -> Iterator[None]:
    """Undo what alembic.ini's prepend_sys_path does to the process."""
    before = sys.path[:]
    try:
        yield
    finally:
        sys.path[:] = before


def _check(revisions: list[Script], scripts: Path) -> None:
    if not revisions:
        raise InfraError(f"no revisions in {scripts}; make one with alembic revision")
    heads = sorted(script.revision for script in revisions if script.is_head)
    if len(heads) > 1:
        raise InfraError(f"{len(heads)} heads in {scripts}: {', '.join(heads)}; allowed is one, see alembic merge")
    outside = [script.path for script in revisions if scripts not in Path(script.path).resolve().parents]
    if outside:
        raise InfraError(f"revisions outside of {scripts}, which alone is in the zip: {', '.join(outside)}")


def _python_files(scripts: Path) -> list[Path]:
    return sorted(path for path in scripts.rglob("*.py") if "__pycache__" not in path.parts)
