"""The contents of the zips whose handlers are in the package `migrator`.

This module names the package by its folder and never imports it.
"""

import hashlib
from pathlib import Path

from rds_alembic.assets import BUILD_FOLDER, CHECKOUT, archive
from rds_alembic.assets.function_asset import FunctionAsset
from rds_alembic.revisions.alembic_project import MANIFEST, AlembicProject

# An env.py may import rds_alembic.autogenerate. The constructs beside it stay out of the zip.
AUTOGENERATE = ("rds_alembic/__init__.py", "rds_alembic/autogenerate")


def upgrade_asset(project: AlembicProject) -> FunctionAsset:
    """Return the asset of the functions that upgrade a database."""
    return FunctionAsset(
        name="migrator",
        files=_checkout_files("migrator", "rds_iam", *AUTOGENERATE) | project_files(project),
        requirements=CHECKOUT / "requirements" / "migrator.txt",
    )


def project_files(project: AlembicProject) -> dict[str, Path]:
    """Return the files of the project and the manifest by their paths in the zip."""
    files = {path.relative_to(project.folder).as_posix(): path for path in (project.ini, project.migrations)}
    return files | {MANIFEST: _write_manifest(project.manifest())}


def roles_asset() -> FunctionAsset:
    """Return the asset of the function that sets up the roles of a database."""
    return FunctionAsset(name="roles", files=_checkout_files("migrator", "rds_iam"))


def protection_asset() -> FunctionAsset:
    """Return the asset of the functions that call APIs of AWS and do not connect to a database."""
    return FunctionAsset(name="protection", files=_checkout_files("migrator", "rds_iam"))


def _checkout_files(*names: str) -> dict[str, Path]:
    return {name: CHECKOUT / name for name in names}


def _write_manifest(manifest: str) -> Path:
    def write(path: Path) -> None:
        path.write_text(manifest, encoding="utf-8")

    digest = hashlib.sha256(manifest.encode()).hexdigest()[:16]
    return archive.cached(BUILD_FOLDER / f"revisions-{digest}.json", write)
