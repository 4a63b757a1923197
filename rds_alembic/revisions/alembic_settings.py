"""The settings of an Alembic project: alembic.ini and the table `tool.alembic` of pyproject.toml. No code is run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_options import AlembicOptions


@dataclass(frozen=True, kw_only=True)
class AlembicSettings:
    """The folders that Alembic uses.

    - `folder`: the folder of alembic.ini or pyproject.toml
    - `files`: these files, as far as they exist
    - `script_location`: the folder of env.py
    - `version_locations`: the folders of the revisions
    - `recursive`: revisions are also in folders below these
    - `sys_path`: the folders of `prepend_sys_path`
    - `database_users`: the names of the option `database_users`: the login roles that revisions grant privileges to
    """

    folder: Path
    files: tuple[Path, ...]
    script_location: Path
    version_locations: tuple[Path, ...]
    recursive: bool
    sys_path: tuple[Path, ...]
    database_users: tuple[str, ...] = ()

    @classmethod
    def read(cls, folder: Path, *, include: Sequence[Path] = ()) -> Self:
        """Read the settings of the project in a folder. Packages in `package:folder` are looked for in `include`, too.

        Raises RdsAlembicError for settings that a deployment cannot use.
        """
        folder = folder.resolve()
        options = AlembicOptions(folder)
        if not options.files:
            raise RdsAlembicError(
                "project must be a folder with an alembic.ini or a pyproject.toml with [tool.alembic] "
                f"(got {str(folder)!r})"
            )
        try:
            _reject_several_databases(options)
            scripts = _script_location(options, folder, include)
            locations = [_folder("version_locations", value, folder, include) for value in _versions(options)]
            return cls(
                folder=folder,
                files=tuple(options.files),
                script_location=scripts,
                version_locations=tuple(locations or [scripts / "versions"]),
                recursive=options.flag("recursive_version_locations"),
                sys_path=tuple((folder / path).resolve() for path in _sys_path(options)),
                database_users=tuple(options.paths("database_users", separators=(), default=", *|\\s+")),
            )
        except ValueError as exc:
            raise RdsAlembicError(f"cannot read {options.files[0]}: {exc}") from exc

    def revision_paths(self) -> Iterator[Path]:
        """Yield the files of the revisions, in the order of their paths."""
        for location in self.version_locations:
            paths = location.rglob("*.py") if self.recursive else location.glob("*.py")
            # Alembic skips lock files of Emacs and __init__.py.
            yield from sorted(path for path in paths if not path.name.startswith((".#", "__init__")))


def _reject_several_databases(options: AlembicOptions) -> None:
    # The option of `alembic init -t multidb`.
    if databases := options.get("databases"):
        raise RdsAlembicError(
            f"alembic.ini must not have `databases` (got {databases!r}): create one Alembic project and one "
            "AlembicUpgrade for each database"
        )


def _script_location(options: AlembicOptions, folder: Path, include: Sequence[Path]) -> Path:
    value = options.get("script_location")
    if value is None and (folder / "env.py").is_file():
        return folder  # Flask-Migrate sets the option in code, to the folder of alembic.ini
    if not isinstance(value, str) or not value:
        raise RdsAlembicError(f"script_location must be the folder of env.py (got {value!r} in {folder})")
    scripts = _folder("script_location", value, folder, include)
    if not (scripts / "env.py").is_file():
        raise RdsAlembicError(f"script_location must be a folder with an env.py (got {str(scripts)!r})")
    return scripts


def _versions(options: AlembicOptions) -> list[str]:
    separators = ("path_separator", "version_path_separator")
    return options.paths("version_locations", separators=separators, default=", *| +")


def _sys_path(options: AlembicOptions) -> list[str]:
    return options.paths("prepend_sys_path", separators=("path_separator",), default=", *| +|:")


def _folder(option: str, value: str, folder: Path, include: Sequence[Path]) -> Path:
    """Return an existing folder: a path, relative to the project or to a folder above it, or `package:folder`."""
    package, colon, rest = value.partition(":")
    bases = [folder, *_folders_above(folder)]
    if colon:
        bases = [*(path.resolve().parent for path in include), *(path / src for path in bases for src in ("", "src"))]
        value = "/".join([*package.split("."), rest])
    for base in bases:
        if (base / value).is_dir():
            return (base / value).resolve()
    raise RdsAlembicError(
        f"{option} must be an existing folder (got {value!r}): a path relative to {folder}, relative to a folder above "
        "it, or package:folder"
    )


def _folders_above(folder: Path) -> Iterator[Path]:
    """Yield the folders above the project, up to the one of the git repository."""
    for path in (folder, *folder.parents):
        if path != folder:
            yield path
        if (path / ".git").exists():
            return
