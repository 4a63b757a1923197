"""The installation of the packages of AWS's runtime."""

from pathlib import Path

import pytest

from localaws.constants import CHECKOUT
from localaws.errors import LocalAwsError
from localaws.lambda_runtime.packages import install

LOCK = CHECKOUT / "requirements" / "lambda-runtime.txt"


def test_the_packages_of_the_runtime_are_boto3_and_its_requirements(tmp_path: Path) -> None:
    folder = install(LOCK, tmp_path)
    packages = {path.name for path in folder.iterdir() if path.is_dir() and "." not in path.name} - {
        "bin",
        "__pycache__",
    }
    assert packages == {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3"}
    assert (folder / "six.py").exists()


def test_the_packages_of_a_lock_file_are_installed_once(tmp_path: Path) -> None:
    first = install(LOCK, tmp_path)
    (first / "marker").touch()
    assert (install(LOCK, tmp_path) / "marker").exists()


def test_a_failed_installation_is_one_error_and_leaves_no_files(tmp_path: Path) -> None:
    lock, cache = tmp_path / "lock.txt", tmp_path / "cache"
    lock.write_text("boto3==1.43.106\n")
    with pytest.raises(LocalAwsError, match=r"cannot install the packages of lock.txt: .*hash"):
        install(lock, cache)
    assert list(cache.iterdir()) == []
