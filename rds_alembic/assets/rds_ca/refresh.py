"""Renew the roots from AWS's own bundle: `.venv/bin/python -m rds_alembic.assets.rds_ca.refresh [FILE or URL]`.

Takes any text that holds PEM certificates and keeps those that are a region's current root: beta, expired and
intermediate certificates are left out. Writes a file per region, and their digests.
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
    """Rewrite the folder from the file or address given, AWS's own when none is."""
    source = arguments[0] if arguments else TRUSTSTORE
    written = write(regional_roots(_read(source)), folder=ROOTS)
    print(f"{len(written)} regions from {source}: {', '.join(written)}")


def regional_roots(text: str) -> dict[str, dict[str, str]]:
    """Find the roots in a text: region -> the certificate's name -> PEM."""
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
    """Replace the files of a folder by these; return the regions written. Nothing found = nothing touched."""
    if not regions:
        raise RdsAlembicError(
            "no current root of RDS was found: its name is like 'Amazon RDS eu-central-1 Root CA RSA2048 G1'"
        )
    for old in folder.glob("*.pem"):
        old.unlink()
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
            with urllib.request.urlopen(source, timeout=30) as response:  # noqa: S310 - https only, checked above
                return str(response.read(), "ascii")
        except URLError as exc:
            raise RdsAlembicError(f"{source} cannot be read: {exc.reason}") from exc
    return Path(source).read_text()


def _common_name(details: Mapping[str, object]) -> str:
    subject = cast("tuple[tuple[tuple[str, str]]]", details["subject"])
    return dict(part[0] for part in subject)["commonName"]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except RdsAlembicError as exc:
        sys.exit(f"error: {exc}")
