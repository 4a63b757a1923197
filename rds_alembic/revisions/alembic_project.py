"""What an Alembic project would do to a database, read at synth: no database, and env.py is not run."""

import configparser
import hashlib
import json
import sys
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from alembic.config import Config
from alembic.script import Script, ScriptDirectory
from alembic.util import to_tuple

from rds_alembic.assets import archive
from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions import revision_ids
from rds_alembic.revisions.code_digest import code_digest

# The name in the function's zip. `migrator.manifest` reads the file.
MANIFEST = "revisions.json"


@dataclass(frozen=True, kw_only=True)
class RevisionFile:
    """One revision: the revisions that it comes after (`down_revision` and `depends_on`), and a digest of its code."""

    revision: str
    parents: tuple[str, ...]
    digest: str


@dataclass(frozen=True, kw_only=True)
class AlembicProject:
    """The revisions from base to head, and a digest of the files that define them: a change of either is an upgrade."""

    ini: Path
    scripts: Path
    revision_files: tuple[RevisionFile, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the Alembic project in a folder.

        Raises RdsAlembicError for a project that `alembic upgrade head` cannot bring to one head.
        """
        ini = folder.resolve() / "alembic.ini"
        if not ini.is_file():
            raise RdsAlembicError(f"no alembic.ini in {folder}; allowed is the folder of an alembic project")
        scripts = _script_location(ini)
        directory, revisions = _load(ini, scripts)
        _check(revisions, scripts)
        files = tuple(_revision_file(directory, script) for script in revisions)
        return cls(ini=ini, scripts=scripts, revision_files=files)

    @property
    def revisions(self) -> tuple[str, ...]:
        """The ids of the revisions, from base to head."""
        return tuple(file.revision for file in self.revision_files)

    @property
    def digest(self) -> str:
        """Digest alembic.ini and the scripts, each with its path: sha256, hexadecimal."""
        summary = hashlib.sha256()
        for path in [self.ini, *_python_files(self.scripts)]:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            summary.update(f"{path.relative_to(self.ini.parent).as_posix()}\0{content}\n".encode())
        return summary.hexdigest()

    def files(self, cache: Path) -> dict[str, Path]:
        """Map paths in a zip to the files of the project and to the manifest, which is written into `cache`."""
        project = {path.relative_to(self.ini.parent).as_posix(): path for path in (self.ini, self.scripts)}
        manifest = self.manifest()
        name = f"revisions-{hashlib.sha256(manifest.encode()).hexdigest()[:16]}.json"

        def write(path: Path) -> None:
            path.write_text(manifest, encoding="utf-8")

        return project | {MANIFEST: archive.kept(cache / name, write)}

    def manifest(self) -> str:
        """Return the revisions as JSON. The migrator compares this list with its log of applied revisions."""
        return json.dumps([asdict(file) for file in self.revision_files], indent=0)


def _revision_file(directory: ScriptDirectory, script: Script) -> RevisionFile:
    # `depends_on` may name a branch label.
    depends_on = [directory.get_revision(name).revision for name in to_tuple(script.dependencies, default=())]
    down = to_tuple(script.down_revision, default=())
    return RevisionFile(
        revision=script.revision,
        parents=tuple(sorted({*down, *depends_on})),
        digest=code_digest(Path(script.path).read_bytes()),
    )


def _script_location(ini: Path) -> Path:
    """Find the scripts; a relative location counts from alembic.ini, as in the function."""
    try:
        location = Config(str(ini)).get_main_option("script_location")
    except configparser.Error as exc:
        raise RdsAlembicError(f"{ini} cannot be read: {exc}") from exc
    if not location:
        raise RdsAlembicError(f"{ini.name} has no script_location; allowed is a folder beside it")
    scripts = (ini.parent / location).resolve()
    if not scripts.is_dir() or ini.parent not in scripts.parents:
        raise RdsAlembicError(f"script_location is {location!r}; allowed is a folder below the one that has {ini.name}")
    return scripts


def _load(ini: Path, scripts: Path) -> tuple[ScriptDirectory, list[Script]]:
    config = Config(str(ini))
    config.set_main_option("script_location", str(scripts).replace("%", "%%"))
    # What else is relative in alembic.ini counts from the current folder: a function's is that of alembic.ini.
    with warnings.catch_warnings(), _unchanged_sys_path(), chdir(ini.parent):
        # Alembic only warns about a revision that exists twice, or whose parent does not exist.
        warnings.filterwarnings("error", category=UserWarning, message="Revision ")
        try:
            directory = ScriptDirectory.from_config(config)
            newest_first = list(directory.walk_revisions())
        except Exception as exc:  # a script is somebody's code and may fail in any way
            if problems := revision_ids.problems_below(scripts):
                raise RdsAlembicError("; ".join(problems)) from exc
            raise RdsAlembicError(f"the scripts in {scripts} cannot be read: {type(exc).__name__}: {exc}") from exc
    return directory, newest_first[::-1]


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
        raise RdsAlembicError(f"no revisions in {scripts}; make one with .venv/bin/alembic revision")
    if problems := revision_ids.problems((script.revision, Path(script.path)) for script in revisions):
        raise RdsAlembicError("; ".join(problems))
    heads = sorted(script.revision for script in revisions if script.is_head)
    if len(heads) > 1:
        raise RdsAlembicError(
            f"{len(heads)} heads in {scripts}: {', '.join(heads)}; allowed is one, see .venv/bin/alembic merge"
        )
    outside = [script.path for script in revisions if scripts not in Path(script.path).resolve().parents]
    if outside:
        raise RdsAlembicError(f"revisions outside of {scripts}, which alone is in the zip: {', '.join(outside)}")


def _python_files(scripts: Path) -> list[Path]:
    return sorted(path for path in scripts.rglob("*.py") if "__pycache__" not in path.parts)
