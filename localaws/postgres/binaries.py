"""Find PostgreSQL's programs on this machine: in the checkout, where `make setup` puts them, or as Debian does."""

from pathlib import Path

from localaws.errors import LocalAwsError

CHECKOUT = Path(__file__).parents[2]


def find(version: int) -> Path:
    """Return the folder of the programs of this major version; raises LocalAwsError when there are none."""
    places = [CHECKOUT / f".build/postgres-{version}/bin", Path(f"/usr/lib/postgresql/{version}/bin")]
    for place in places:
        if (place / "postgres").exists():
            return place
    looked = ", ".join(str(place) for place in places)
    raise LocalAwsError(f"no programs of PostgreSQL {version} on this machine: looked in {looked}; see make setup")
