"""The files of an Alembic project: the revisions that they define, and their places in the migrator's zip."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Self

from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_settings import AlembicSettings
from rds_alembic.revisions.revision_files import RevisionFile, read_revisions

ZIP_FOLDER = "project"
"""The folder of the user's files in the zip, so that their names cannot collide with those of libraries."""
MANIFEST = ".rds-alembic.json"
"""The name of the manifest in that folder. `migrator.manifest` reads it."""

_SKIPPED_FOLDERS = ("__pycache__", "node_modules")
# Alembic's template and notes, and the digests of `make freeze`: an upgrade does not read them.
_SKIPPED_FILES = ("README", "README.md", "script.py.mako", "versions.lock")


@dataclass(frozen=True, kw_only=True)
class AlembicProject:
    """The files of an Alembic project.

    - `settings`: the folders that Alembic uses
    - `include`: folders and modules of Python code that env.py and the revisions import
    - `revision_files`: the revisions, from base to head
    - `later_files`: the files of revisions that are not part of the project: see `up_to`
    """

    settings: AlembicSettings
    include: tuple[Path, ...]
    revision_files: tuple[RevisionFile, ...]
    later_files: frozenset[Path] = frozenset()

    @classmethod
    def read(cls, folder: Path, *, include: Sequence[Path] = ()) -> Self:
        """Read the project in a folder, without running env.py or the included code.

        Raises RdsAlembicError if `alembic upgrade head` would fail or reach several heads.
        """
        included = tuple(_checked_include(path) for path in include)
        settings = AlembicSettings.read(folder, include=included)
        return cls(settings=settings, include=included, revision_files=read_revisions(settings))

    @property
    def revisions(self) -> tuple[str, ...]:
        """The ids of the revisions, from base to head."""
        return tuple(file.revision for file in self.revision_files)

    def up_to(self, revision: str) -> Self:
        """Return the project as it was when a revision was its head: without the revisions that are not before it.

        `revision` is an id or its beginning. Raises RdsAlembicError if it is not that of one revision.
        """
        heads = [name for name in self.revisions if name == revision] or [
            name for name in self.revisions if revision and name.startswith(revision)
        ]
        if len(heads) != 1:
            number = f"{len(heads)} revisions begin with it" if heads else "the project does not have it"
            raise RdsAlembicError(f"the first revision must be one of `alembic history` (got {revision!r}: {number})")
        parents = {file.revision: file.parents for file in self.revision_files}
        pending, earlier = heads, set[str]()
        while pending:
            name = pending.pop()
            earlier.add(name)
            pending += [parent for parent in parents[name] if parent not in earlier]
        return replace(
            self,
            revision_files=tuple(file for file in self.revision_files if file.revision in earlier),
            later_files=frozenset(file.path for file in self.revision_files if file.revision not in earlier),
        )

    @property
    def migrations_digest(self) -> str:
        """The sha256 of the settings and of all files of the migrations, with their paths, hexadecimal."""
        summary = hashlib.sha256()
        for name, path in sorted(self._migration_files()):
            summary.update(f"{name}\0{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
        return summary.hexdigest()

    def files(self) -> dict[str, Path]:
        """Return the files of the project by their paths in the zip.

        Raises RdsAlembicError if two different files have the same path.
        """
        files: dict[str, Path] = {}
        for name, path in [*self._migration_files(), *self._included_files()]:
            if files.setdefault(name, path) != path:
                raise RdsAlembicError(
                    f"include must not have two files for the path {name} in the zip (got {files[name]} and {path})"
                )
        return files

    def manifest(self) -> str:
        """Return the settings and the revisions as JSON, for the migrator. Folders are relative to the zip's folder."""
        return json.dumps(
            {
                "script_location": self._place(self.settings.script_location),
                "version_locations": [self._place(path) for path in self.settings.version_locations],
                "sys_path": self._sys_path(),
                "revisions": [
                    {"revision": file.revision, "parents": file.parents, "digest": file.digest}
                    for file in self.revision_files
                ],
            },
            indent=0,
        )

    def entry_points(self) -> dict[str, tuple[str, ...]]:
        """Map env.py and the revisions, by their paths in the zip, to the functions in them that an upgrade calls."""
        env = f"{ZIP_FOLDER}/{PurePosixPath(self._place(self.settings.script_location), 'env.py')}"
        revisions = (self._zip_path(file.path) for file in self.revision_files)
        return {env: ()} | dict.fromkeys(revisions, ("upgrade",))

    def search_path(self) -> list[str]:
        """Return the folders of `sys.path` in the zip: its root, which the runtime adds, and those of the project."""
        return ["", *(str(PurePosixPath(ZIP_FOLDER, place)) for place in self._sys_path())]

    def _sys_path(self) -> list[str]:
        """Return the folder in the zip, and the folders of `prepend_sys_path` below it, relative to it."""
        folders = [path for path in self.settings.sys_path if path.is_relative_to(self.settings.folder)]
        return list(dict.fromkeys([".", *map(self._place, folders)]))

    def _migration_files(self) -> Iterator[tuple[str, Path]]:
        folders = dict.fromkeys([self.settings.script_location, *self.settings.version_locations])
        paths = [*self.settings.files, *(path for folder in folders for path in _files_below(folder))]
        return ((self._zip_path(path), path) for path in dict.fromkeys(paths) if path not in self.later_files)

    def _included_files(self) -> Iterator[tuple[str, Path]]:
        for origin in self.include:
            for path in _files_below(origin):
                yield str(PurePosixPath(ZIP_FOLDER, path.relative_to(origin.parent).as_posix())), path

    def _zip_path(self, path: Path) -> str:
        return str(PurePosixPath(ZIP_FOLDER, self._place(path)))

    def _place(self, path: Path) -> str:
        """Return a path of the migrations, relative to the folder in the zip. A folder outside keeps its name only."""
        if path.is_relative_to(self.settings.folder):
            return path.relative_to(self.settings.folder).as_posix()
        for folder in (self.settings.script_location, *self.settings.version_locations):
            if path.is_relative_to(folder) and not folder.is_relative_to(self.settings.folder):
                return path.relative_to(folder.parent).as_posix()
        return path.name


def _checked_include(path: Path) -> Path:
    if not path.exists():
        raise RdsAlembicError(f"include must be existing folders or modules of Python code (got {str(path)!r})")
    if not path.name.removesuffix(".py").isidentifier():
        raise RdsAlembicError(f"include must have the names of Python packages or modules (got {str(path)!r})")
    return path.resolve()


def _files_below(path: Path) -> Iterator[Path]:
    """Yield a file, or the files below a folder in order, without hidden folders and files that no upgrade reads."""
    if path.is_file():
        yield path
        return
    for parent, folders, files in path.walk():
        folders[:] = sorted(name for name in folders if name not in _SKIPPED_FOLDERS and not name.startswith("."))
        yield from (parent / name for name in sorted(files) if name not in _SKIPPED_FILES)
