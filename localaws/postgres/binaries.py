"""Find the programs of PostgreSQL on this machine."""

from pathlib import Path

from localaws.constants import CHECKOUT
from localaws.errors import LocalAwsError


def find_programs(version: int) -> Path:
    """Return the folder of the programs of a major version: from `make setup`, or from Debian's package.

    Raises LocalAwsError if the programs are not on this machine.
    """
    folders = [CHECKOUT / f".build/postgres-{version}/bin", Path(f"/usr/lib/postgresql/{version}/bin")]
    for folder in folders:
        if (folder / "postgres").exists():
            return folder
    searched = ", ".join(str(folder) for folder in folders)
    raise LocalAwsError(f"PostgreSQL {version} is not on this machine (searched {searched}); run make setup")
