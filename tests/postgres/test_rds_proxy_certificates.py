"""The certificate authority of the local AWS."""

import ssl
from contextlib import suppress
from pathlib import Path

import pytest

from localaws.certificates import CertificateAuthority


def test_a_second_authority_in_the_same_folder_returns_the_same_certificate(tmp_path: Path) -> None:
    first, second = CertificateAuthority(tmp_path), CertificateAuthority(tmp_path)
    certificates = [authority.issue(["127.0.0.1", "localhost"])[0].read_bytes() for authority in (first, second)]
    assert certificates[0] == certificates[1]


def test_each_list_of_hosts_and_each_client_has_its_own_certificate(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    hosts = authority.issue(["localhost"]), authority.issue(["127.0.0.1", "localhost"]), authority.issue(["migrator"])
    assert len({*hosts, authority.issue_client("migrator")}) == 4


def test_a_new_authority_issues_new_certificates(tmp_path: Path) -> None:
    old = CertificateAuthority(tmp_path)
    old_certificate = old.issue(["localhost"])[0].read_bytes()
    old.ca_path.unlink()
    assert CertificateAuthority(tmp_path).issue(["localhost"])[0].read_bytes() != old_certificate


def test_the_folder_and_the_keys_are_private_to_their_owner(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path / "new" / "folder")
    _, key = authority.issue(["localhost"])
    assert authority.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (key, authority.folder / "ca.key")} == {0o600}


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "x" * 63 + ".example.com"])
def test_a_strict_client_accepts_the_certificate_of_a_server(tmp_path: Path, host: str) -> None:
    authority = CertificateAuthority(tmp_path)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=authority.ca_path)
    server.load_cert_chain(*authority.issue([host]))
    assert client.verify_flags & ssl.VERIFY_X509_STRICT
    shake_hands(client, server, host)


def test_a_strict_server_accepts_the_certificate_of_a_client(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=authority.ca_path)
    server.load_cert_chain(*authority.issue(["localhost"]))
    server.verify_mode = ssl.CERT_REQUIRED
    client = ssl.create_default_context(cafile=authority.ca_path)
    client.load_cert_chain(*authority.issue_client("rôle with spaces"))
    subject = shake_hands(client, server, "localhost")["subject"]
    assert (("commonName", "rôle with spaces"),) in subject


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, host: str) -> dict[str, tuple[object, ...]]:
    """Do a TLS handshake in memory, and return the certificate of the client as the server decodes it."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client_side = client.wrap_bio(to_client, to_server, server_hostname=host)
    server_side = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(3):
        for side in (client_side, server_side):
            with suppress(ssl.SSLWantReadError):
                side.do_handshake()
    assert client_side.version() == server_side.version() == "TLSv1.3"
    return server_side.getpeercert() or {}  # type: ignore[return-value] # ssl's type is a union of tuples
