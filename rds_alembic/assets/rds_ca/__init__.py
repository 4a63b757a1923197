"""The certificate authorities that sign the certificates of RDS servers, a file per region.

A function verifies the server it logs in to (`sslmode=verify-full`), and no Python runtime of Lambda is documented to
hold these roots: they travel in the function's zip, and only those of the region it is deployed to.
"""

from pathlib import Path

ROOTS = Path(__file__).with_name("roots")


def covered_regions() -> list[str]:
    """Name the regions whose roots are here."""
    return sorted(path.stem for path in ROOTS.glob("*.pem"))


def roots_of(region: str) -> Path:
    """Say where the roots of a region are; the file exists for `covered_regions` only."""
    return ROOTS / f"{region}.pem"
