"""The contents of the zips whose handlers are in the package `migrator`.

This module names the package by its folder and never imports it.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from rds_alembic.assets import BUILD_FOLDER, PACKAGE, SOURCES, archive, wheels
from rds_alembic.assets.function_asset import FunctionAsset
from rds_alembic.assets.imports import LAMBDA_RUNTIME, STANDARD_LIBRARY, MissingModule, missing_modules
from rds_alembic.assets.requirements import combine
from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_project import MANIFEST, ZIP_FOLDER, AlembicProject

# An env.py may import rds_alembic.autogenerate. The constructs beside it stay out of the zip.
_AUTOGENERATE = {f"rds_alembic/{name}": PACKAGE / name for name in ("__init__.py", "autogenerate")}
_MIGRATOR = {name: SOURCES / name for name in ("migrator", "rds_iam")}


def upgrade_asset(project: AlembicProject, requirements: Path | None = None) -> FunctionAsset:
    """Return the asset of the functions that upgrade a database, with the user's locked requirements."""
    own = SOURCES / "requirements" / "migrator.txt"
    return FunctionAsset(
        name="migrator",
        files=_MIGRATOR | _AUTOGENERATE | project_files(project),
        requirements=_cache_text("requirements", ".txt", combine(own, requirements)) if requirements else own,
    )


def check_imports(project: AlembicProject, asset: FunctionAsset, architecture: str) -> None:
    """Raise RdsAlembicError with one line for each module that an upgrade imports and the function does not have."""
    packages = wheels.install_wheels(asset.requirements, architecture, cache=asset.cache)
    files = dict(archive.list_sources(packages)) | asset.sources()
    _check_names(project, files)
    missing = missing_modules(project.entry_points(), files, search_path=project.search_path(), user_folder=ZIP_FOLDER)
    if missing:
        raise RdsAlembicError("\n".join(_problem(module, files[module.file], project) for module in missing))


def _problem(module: MissingModule, file: Path, project: AlembicProject) -> str:
    return (
        f"module {module.name} must be in the function's zip (imported in {_shorten(file)} line {module.line}): "
        f"{_remedy(module, project)}"
    )


def _check_names(project: AlembicProject, files: Mapping[str, Path]) -> None:
    """Reject included code that Python does not find, because a library of the zip has the same name."""
    names = {name.partition("/")[0].removesuffix(".py") for name in files if not name.startswith(f"{ZIP_FOLDER}/")}
    for path in project.include:
        if path.stem in names | STANDARD_LIBRARY | LAMBDA_RUNTIME:
            raise RdsAlembicError(
                f"include must not have the name of a library in the function (got {str(path)!r}): rename the folder"
            )


def _remedy(module: MissingModule, project: AlembicProject) -> str:
    """Return the setting that provides a module: `include` if the code is near the project, or else `requirements`."""
    name = module.name.partition(".")[0]
    for folder in (project.settings.folder, *project.settings.folder.parents):
        for path in (folder / name, folder / "src" / name, folder / f"{name}.py"):
            if path.exists():
                return f"add {_shorten(path)} to include"
        if (folder / ".git").exists():
            break
    return f"add {name} to the locked requirements"


def project_files(project: AlembicProject) -> dict[str, Path]:
    """Return the files of the project and the manifest by their paths in the zip."""
    return project.files() | {f"{ZIP_FOLDER}/{MANIFEST}": _cache_text("manifest", ".json", project.manifest())}


def roles_asset() -> FunctionAsset:
    """Return the asset of the function that sets up the roles of a database."""
    return FunctionAsset(name="roles", files=_MIGRATOR)


def protection_asset() -> FunctionAsset:
    """Return the asset of the functions that call APIs of AWS and do not connect to a database."""
    return FunctionAsset(name="protection", files=_MIGRATOR)


def _shorten(path: Path) -> Path:
    """Return a path relative to the working directory if it is below it."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def _cache_text(name: str, suffix: str, text: str) -> Path:
    def write(path: Path) -> None:
        path.write_text(text, encoding="utf-8")

    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return archive.cached(BUILD_FOLDER / f"{name}-{digest}{suffix}", write)
