"""The authority behind the front door's certificate."""

import ssl
from pathlib import Path

from cryptography import x509

from localaws.certificates import Certificates


def issuer(path: Path) -> x509.Name:
    return x509.load_pem_x509_certificate(path.read_bytes()).issuer


def test_the_authority_and_what_it_issued_last(tmp_path: Path) -> None:
    first, second = Certificates(tmp_path), Certificates(tmp_path)
    issued = [certificates.issue(["127.0.0.1", "localhost"])[0].read_bytes() for certificates in (first, second)]
    assert issued[0] == issued[1]
    assert first.issue(["localhost"]) != first.issue(["127.0.0.1", "localhost"])
    assert first.issue(["migrator"]) != first.issue_client("migrator")


def test_a_new_authority_issues_anew(tmp_path: Path) -> None:
    old = Certificates(tmp_path)
    old_issuer = issuer(old.issue(["localhost"])[0])
    old.ca_path.unlink()
    new = Certificates(tmp_path)
    assert issuer(new.issue(["localhost"])[0]) == issuer(new.ca_path) != old_issuer


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path / "new" / "folder")
    _, key = certificates.issue(["localhost"])
    assert certificates.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (key, certificates.folder / "ca.key")} == {0o600}


def test_a_certificate_and_its_key_belong_together(tmp_path: Path) -> None:
    certificates = Certificates(tmp_path)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(*certificates.issue(["x" * 63 + ".example.com"]))
