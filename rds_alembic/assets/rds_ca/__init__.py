"""The root certificates of RDS servers, one file for each region.

A function verifies the server's certificate (`sslmode=verify-full`). AWS documents these roots for no Python runtime
of Lambda, so that the zip of a function contains those of its region.
"""

from pathlib import Path

from rds_alembic.errors import RdsAlembicError

ROOTS = Path(__file__).with_name("roots")


def covered_regions() -> list[str]:
    """Return the regions whose root certificates are in this package."""
    return sorted(path.stem for path in ROOTS.glob("*.pem"))


def root_certificates(region: str) -> Path:
    """Return the PEM file with the root certificates of a region. Raises RdsAlembicError for a region without one."""
    path = ROOTS / f"{region}.pem"
    if not path.is_file():
        raise RdsAlembicError(
            f"region must be one of {', '.join(covered_regions())} (got {region!r}): for another region, "
            "rds_ca (in the example stack: -c rds-ca) must be the path of a PEM file with its root certificates"
        )
    return path
