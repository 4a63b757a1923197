"""A function's zip, built without Docker: locked wheels for the function's platform, our packages, all byte-compiled.

What was built is kept in `.build/` under a name that tells its content, so a second synth builds nothing.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from aws_cdk import AssetHashType
from aws_cdk import aws_lambda as lambda_

from infra.settings import PROJECT, Architecture
from rds_alembic.assets import archive, wheels
from rds_alembic.errors import RdsAlembicError

ZIPS_KEPT = 16  # per function: each version of the scripts makes another one of up to 17 MB


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What goes into one zip; `files` maps a path in the zip to a file or a folder."""

    name: str
    packages: tuple[str, ...]
    requirements: str
    files: Mapping[str, Path] = field(default_factory=dict)
    project: Path = PROJECT

    def sources(self) -> dict[str, Path]:
        """Map the name in the zip of each file of ours to where it is."""
        contents = {package: self.project / package for package in self.packages} | dict(self.files)
        missing = [str(path) for path in contents.values() if not path.exists()]
        if missing:
            raise RdsAlembicError(f"the zip {self.name!r} lacks {', '.join(missing)}: no such file or folder")
        return {name: path for root, origin in contents.items() for name, path in _files(root, origin)}


@dataclass(frozen=True)
class Zip:
    """A built zip, and the digest of the names and contents in it, byte code left out."""

    path: Path
    digest: str

    def code(self) -> lambda_.Code:
        """Offer the zip to a function under its digest, which every machine computes alike."""
        return lambda_.Code.from_asset(str(self.path), asset_hash=self.digest, asset_hash_type=AssetHashType.CUSTOM)


def build(bundle: Bundle, architecture: Architecture) -> Zip:
    """Build the zip of a bundle, or find it in `.build/`."""
    cache = bundle.project / ".build"
    packages = wheels.site_packages(bundle.project / "requirements" / bundle.requirements, architecture, cache=cache)
    ours = bundle.sources()
    digest = archive.digest(dict(archive.sources(packages)) | ours)
    path = archive.kept(
        cache / f"{bundle.name}-{architecture}-{digest[:16]}.zip",
        lambda target: _assemble(target, packages=_packed(packages), ours=ours),
    )
    _keep_newest(path, cache.glob(f"{bundle.name}-{architecture}-*.zip"))
    return Zip(path, digest)


def _files(root: str, origin: Path) -> list[tuple[str, Path]]:
    if origin.is_file():
        return [(root, origin)]
    return [(f"{root}/{name}", path) for name, path in archive.sources(origin)]


def _packed(packages: Path) -> Path:
    """Zip what comes from elsewhere once: a new revision then adds a few small files to a copy."""
    return archive.kept(
        packages.with_name(f"{packages.name}.zip"),
        lambda target: archive.write_zip(target, dict(archive.tree(packages))),
    )


def _assemble(target: Path, *, packages: Path, ours: Mapping[str, Path]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        staged = Path(scratch)
        for name, path in ours.items():
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, staged / name)
        archive.compile_tree(staged)
        shutil.copyfile(packages, target)
        archive.write_zip(target, dict(archive.tree(staged)))


def _keep_newest(used: Path, zips: Iterator[Path]) -> None:
    """Forget the zips used longest ago, unless another synth is just doing the same."""
    with suppress(FileNotFoundError):
        os.utime(used)
        for path in sorted(zips, key=lambda path: path.stat().st_mtime, reverse=True)[ZIPS_KEPT:]:
            path.unlink()
