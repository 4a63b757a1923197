"""The packages of AWS's python3.13 runtime: boto3 and its requirements."""

from pathlib import Path

from localaws.errors import LocalAwsError
from rds_alembic.assets import BUILD_FOLDER, SOURCES, wheels
from rds_alembic.errors import RdsAlembicError

LOCK_FILE = SOURCES / "requirements" / "lambda-runtime.txt"


def runtime_packages(cache: Path = BUILD_FOLDER) -> Path:
    """Return the folder with the locked packages. The first use of the lock file installs them.

    Raises LocalAwsError if they cannot be installed.
    """
    try:
        return wheels.install_wheels(LOCK_FILE, wheels.local_architecture(), cache=cache)
    except RdsAlembicError as exc:
        raise LocalAwsError(f"cannot install the packages of Lambda's runtime: {exc}") from exc
