"""The files of an Alembic project: which revisions they define, in which order.

The revisions are imported. No database is used, and env.py is not run.
"""

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

from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions import revision_ids
from rds_alembic.revisions.code_digest import code_digest

MANIFEST = "revisions.json"
"""The path of the manifest in the migrator's zip. `migrator.manifest` reads it."""


@dataclass(frozen=True, kw_only=True)
class RevisionFile:
    """The id of a revision, its parents (`down_revision` and `depends_on`), and the digest of its code."""

    revision: str
    parents: tuple[str, ...]
    digest: str


@dataclass(frozen=True, kw_only=True)
class AlembicProject:
    """The files of an Alembic project.

    - `ini`: alembic.ini
    - `migrations`: the folder of `script_location`
    - `revision_files`: the revisions, from base to head
    """

    ini: Path
    migrations: Path
    revision_files: tuple[RevisionFile, ...]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Read the project in a folder.

        Raises RdsAlembicError if `alembic upgrade head` would fail or reach several heads.
        """
        ini = folder.resolve() / "alembic.ini"
        if not ini.is_file():
            raise RdsAlembicError(f"alembic-project must be a folder with an alembic.ini (got {str(folder)!r})")
        migrations = _script_location(ini)
        directory, scripts = _load(ini, migrations)
        _check(scripts, migrations)
        files = tuple(_revision_file(directory, script) for script in scripts)
        return cls(ini=ini, migrations=migrations, revision_files=files)

    @property
    def folder(self) -> Path:
        """The folder with alembic.ini."""
        return self.ini.parent

    @property
    def revisions(self) -> tuple[str, ...]:
        """The ids of the revisions, from base to head."""
        return tuple(file.revision for file in self.revision_files)

    @property
    def migrations_digest(self) -> str:
        """The sha256 of alembic.ini and the Python files of the migrations, with their paths, hexadecimal."""
        summary = hashlib.sha256()
        for path in [self.ini, *_python_files(self.migrations)]:
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            summary.update(f"{path.relative_to(self.folder).as_posix()}\0{content}\n".encode())
        return summary.hexdigest()

    def manifest(self) -> str:
        """Return the revisions as JSON. The migrator compares them with its log of applied revisions."""
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
    """Return the folder of `script_location`. A relative one is below the folder of alembic.ini, as in the function."""
    try:
        location = Config(str(ini)).get_main_option("script_location")
    except configparser.Error as exc:
        raise RdsAlembicError(f"cannot read {ini}: {exc}") from exc
    migrations = (ini.parent / (location or "")).resolve()
    if not migrations.is_dir() or ini.parent not in migrations.parents:
        raise RdsAlembicError(
            f"script_location must be a folder below the one of alembic.ini (got {location!r} in {ini})"
        )
    return migrations


def _load(ini: Path, migrations: Path) -> tuple[ScriptDirectory, list[Script]]:
    config = Config(str(ini))
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    # Other relative paths in alembic.ini start from the working directory, which in a function has alembic.ini.
    with warnings.catch_warnings(), _unchanged_sys_path(), chdir(ini.parent):
        # Alembic only warns about a revision that exists twice, or whose parent does not exist.
        warnings.filterwarnings("error", category=UserWarning, message="Revision ")
        try:
            directory = ScriptDirectory.from_config(config)
            newest_first = list(directory.walk_revisions())
        except Exception as exc:  # the user's code may raise any exception when it is imported
            if problems := revision_ids.problems_below(migrations):
                raise RdsAlembicError("; ".join(problems)) from exc
            raise RdsAlembicError(f"cannot read the revisions in {migrations}: {type(exc).__name__}: {exc}") from exc
    return directory, newest_first[::-1]


@contextmanager
def _unchanged_sys_path() -> Iterator[None]:
    """Restore `sys.path` after Alembic has applied `prepend_sys_path` of alembic.ini."""
    before = sys.path[:]
    try:
        yield
    finally:
        sys.path[:] = before


def _check(scripts: list[Script], migrations: Path) -> None:
    if not scripts:
        raise RdsAlembicError(f"{migrations} must have a revision (got 0): create one with .venv/bin/alembic revision")
    if problems := revision_ids.problems((script.revision, Path(script.path)) for script in scripts):
        raise RdsAlembicError("; ".join(problems))
    heads = sorted(script.revision for script in scripts if script.is_head)
    if len(heads) > 1:
        raise RdsAlembicError(
            f"{migrations} must have one head (got {len(heads)}: {', '.join(heads)}): "
            "merge them with .venv/bin/alembic merge"
        )
    outside = [script.path for script in scripts if migrations not in Path(script.path).resolve().parents]
    if outside:
        raise RdsAlembicError(
            f"version_locations must be below {migrations}, because the zip has no other folder "
            f"(got revisions in {', '.join(outside)})"
        )


def _python_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*.py") if "__pycache__" not in path.parts)
