"""A function's zip, built without Docker: locked wheels for the function's processor, and byte-compiled sources.

Zips are cached, so that a second synth builds nothing.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from rds_alembic.assets import BUILD_FOLDER, SOURCES, archive, wheels
from rds_alembic.errors import RdsAlembicError

REQUIREMENTS = SOURCES / "requirements" / "function.txt"
CACHED_ZIPS = 16  # for each function and architecture: every version of the sources adds a zip of up to 17 MB


@dataclass(frozen=True, kw_only=True)
class FunctionAsset:
    """The contents of a function's zip.

    - `name`: the start of the zip's file name in the cache
    - `files`: the files and folders, by their paths in the zip
    - `requirements`: a file of locked requirements, with hashes; default: AWS Powertools and psycopg2
    - `cache`: the folder for wheels and zips; default: the user's cache folder, or `.build/` in a checkout
    """

    name: str
    files: Mapping[str, Path]
    requirements: Path = REQUIREMENTS
    cache: Path = BUILD_FOLDER

    def with_files(self, files: Mapping[str, Path]) -> Self:
        """Return the same contents and these files."""
        return replace(self, files={**self.files, **files})

    def sources(self) -> dict[str, Path]:
        """Return all files by their paths in the zip, without wheels. Raises RdsAlembicError if one is missing."""
        missing = [str(path) for path in self.files.values() if not path.exists()]
        if missing:
            raise RdsAlembicError(f"files of the zip {self.name!r} must exist (missing: {', '.join(missing)})")
        return {name: path for root, origin in self.files.items() for name, path in _sources(root, origin)}


@dataclass(frozen=True)
class Zip:
    """A zip in the cache, and the digest of the names and contents in it, without byte code."""

    path: Path
    digest: str


def build_asset(asset: FunctionAsset, architecture: str) -> Zip:
    """Build the zip for an architecture of Lambda, `arm64` or `x86_64`, or return the cached one."""
    packages = wheels.install_wheels(asset.requirements, architecture, cache=asset.cache)
    sources = asset.sources()
    digest = archive.digest_files(dict(archive.list_sources(packages)) | sources)
    path = archive.cached(
        asset.cache / f"{asset.name}-{architecture}-{digest[:16]}.zip",
        lambda target: _write_zip(target, packages=_zip_packages(packages), sources=sources),
    )
    _delete_oldest(path, asset.cache.glob(f"{asset.name}-{architecture}-*.zip"))
    return Zip(path, digest)


def _sources(root: str, origin: Path) -> list[tuple[str, Path]]:
    if origin.is_file():
        return [(root, origin)]
    return [(f"{root}/{name}", path) for name, path in archive.list_sources(origin)]


def _zip_packages(packages: Path) -> Path:
    """Zip the wheels once: a new revision then adds a few small files to a copy."""
    return archive.cached(
        packages.with_name(f"{packages.name}.zip"),
        lambda target: archive.add_to_zip(target, dict(archive.list_files(packages))),
    )


def _write_zip(target: Path, *, packages: Path, sources: Mapping[str, Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        staged = Path(folder)
        for name, path in sources.items():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, staged / name)
        archive.compile_sources(staged)
        shutil.copyfile(packages, target)
        archive.add_to_zip(target, dict(archive.list_files(staged)))


def _delete_oldest(current: Path, zips: Iterator[Path]) -> None:
    """Delete the zips that were used longest ago. Stop if another synth deletes them at the same time."""
    with suppress(FileNotFoundError):
        os.utime(current)
        for path in sorted(zips, key=lambda path: path.stat().st_mtime, reverse=True)[CACHED_ZIPS:]:
            path.unlink()
