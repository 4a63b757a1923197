"""Update the root certificates from AWS's bundle: `python -m rds_alembic.assets.rds_ca.refresh [FILE or URL]`.

The source is any text with PEM certificates. The current root certificates of each region are written to one file per
region. Beta, expired and intermediate certificates are left out.
"""

import hashlib
import re
import ssl
import sys
import time
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import cast
from urllib.error import URLError

from rds_alembic.assets.rds_ca import ROOTS
from rds_alembic.errors import RdsAlembicError

TRUSTSTORE = "https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem"
ROOT_NAME = re.compile(r"Amazon RDS (?P<region>[a-z]{2}(-[a-z]+)+-\d) Root CA (?P<key>RSA2048|RSA4096|ECC384) G\d+")
PEM = re.compile(r"-----BEGIN CERTIFICATE-----[\w\s+/=]+-----END CERTIFICATE-----")


def main(arguments: list[str]) -> None:
    """Write the files from the file or address in the arguments. The default is AWS's bundle."""
    source = arguments[0] if arguments else TRUSTSTORE
    regions = write(regional_roots(_read(source)), folder=ROOTS)
    print(f"{len(regions)} regions from {source}: {', '.join(regions)}")


def regional_roots(text: str) -> dict[str, dict[str, str]]:
    """Return the root certificates in a text as PEM, by region and by the name of the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata="\n".join(PEM.findall(text)))
    regions: dict[str, dict[str, str]] = {}
    for details, der in zip(context.get_ca_certs(), context.get_ca_certs(binary_form=True), strict=True):
        name = _common_name(details)
        root = ROOT_NAME.fullmatch(name)
        if root and ssl.cert_time_to_seconds(str(details["notAfter"])) > time.time():
            regions.setdefault(root["region"], {})[name] = ssl.DER_cert_to_PEM_cert(der)
    return regions


def write(regions: Mapping[str, Mapping[str, str]], *, folder: Path) -> list[str]:
    """Replace the files of a folder and return the regions. Raises RdsAlembicError if there are no regions."""
    if not regions:
        raise RdsAlembicError(
            "the source must contain a current root certificate of RDS, "
            "with a name like 'Amazon RDS eu-central-1 Root CA RSA2048 G1'"
        )
    for path in folder.glob("*.pem"):
        path.unlink()
    digests = ""
    for region, roots in sorted(regions.items()):
        content = "".join(f"# {name}\n{roots[name]}" for name in sorted(roots))
        (folder / f"{region}.pem").write_text(content)
        digests += f"{hashlib.sha256(content.encode()).hexdigest()}  {region}.pem\n"
    (folder / "SHA256SUMS").write_text(digests)
    return sorted(regions)


def _read(source: str) -> str:
    if source.startswith("https://"):
        try:
            with urllib.request.urlopen(source, timeout=30) as response:  # noqa: S310 - the scheme is https
                return str(response.read(), "ascii")
        except URLError as exc:
            raise RdsAlembicError(f"cannot read {source}: {exc.reason}") from exc
    return Path(source).read_text()


def _common_name(details: Mapping[str, object]) -> str:
    subject = cast("tuple[tuple[tuple[str, str]]]", details["subject"])
    return dict(part[0] for part in subject)["commonName"]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RdsAlembicError as exc:
        sys.exit(f"error: {exc}")
