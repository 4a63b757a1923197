"""The packages of AWS's runtime, installed once for a lock."""

from pathlib import Path

import pytest

from localaws.errors import LocalAwsError
from localaws.lambda_runtime.packages import installed
from localaws.run import CHECKOUT

LOCK = CHECKOUT / "requirements" / "lambda-runtime.txt"


def test_what_the_runtime_brings_is_boto3_and_what_it_needs_and_nothing_more(tmp_path: Path) -> None:
    folder = installed(LOCK, tmp_path)
    packages = {path.name for path in folder.iterdir() if path.is_dir() and "." not in path.name} - {
        "bin",
        "__pycache__",
    }
    assert packages == {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "urllib3"}
    assert (folder / "six.py").exists()


def test_the_packages_of_a_lock_are_installed_once(tmp_path: Path) -> None:
    first = installed(LOCK, tmp_path)
    (first / "marker").touch()
    assert (installed(LOCK, tmp_path) / "marker").exists()


def test_a_lock_that_cannot_be_installed_is_one_clear_error_and_leaves_nothing(tmp_path: Path) -> None:
    lock, cache = tmp_path / "lock.txt", tmp_path / "cache"
    lock.write_text("boto3==1.43.106\n")
    with pytest.raises(LocalAwsError, match=r"cannot install lock.txt for the functions: .*hash"):
        installed(lock, cache)
    assert list(cache.iterdir()) == []
