"""A certificate authority of this machine, standing in for the one that signs the certificates of RDS."""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


class Certificates:
    """Makes a CA in `folder` the first time, and issues certificates from it. Several processes may share a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca_path = folder / "ca.crt"
        self._key_path = folder / "ca.key"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with self._alone():
            if not _is_fresh(self.ca_path) or not self._key_path.exists():
                self._make_authority()
        self._authority = x509.load_pem_x509_certificate(self.ca_path.read_bytes())

    def issue(self, hosts: Sequence[str]) -> tuple[Path, Path]:
        """Return the paths of a certificate for a server at `hosts` (names or addresses), and of its key."""
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        return self._issue(
            hosts[0][:64], [names, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])], tuple(hosts)
        )

    def issue_client(self, name: str) -> tuple[Path, Path]:
        """Return the paths of a certificate that proves its holder is `name`, and of its key."""
        return self._issue(name, [x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])], ("client", name))

    def _issue(self, name: str, extensions: list[x509.ExtensionType], purpose: tuple[str, ...]) -> tuple[Path, Path]:
        stem = hashlib.sha256("\n".join(purpose).encode()).hexdigest()[:16]
        certificate, key = self.folder / f"{stem}.crt", self.folder / f"{stem}.key"
        with self._alone():
            if not _is_fresh(certificate, issuer=self._authority.subject):
                self._sign(name, extensions, certificate, key)
        return certificate, key

    def _sign(self, name: str, extensions: list[x509.ExtensionType], path: Path, key_path: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        authority_key = serialization.load_pem_private_key(self._key_path.read_bytes(), password=None)
        if not isinstance(authority_key, ec.EllipticCurvePrivateKey):
            raise TypeError(f"the key in {self._key_path} is not one of ours")
        builder = _builder(name, self._authority.subject, key, LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=False)
        _write_key(key_path, key)
        _write_certificate(path, builder.sign(authority_key, hashes.SHA256()))

    def _make_authority(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        # A name of its own for every authority: two with one name and different keys confuse OpenSSL's path building.
        name = f"localaws CA {os.urandom(4).hex()}"
        builder = _builder(name, _name(name), key, AUTHORITY_LIFE)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_signing_only(), critical=True)
        _write_key(self._key_path, key)
        _write_certificate(self.ca_path, builder.sign(key, hashes.SHA256()))

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _is_fresh(path: Path, issuer: x509.Name | None = None) -> bool:
    if not path.exists():
        return False
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    if issuer is not None and certificate.issuer != issuer:
        return False
    return certificate.not_valid_after_utc - datetime.now(UTC) > RENEW_BEFORE


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, life: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # a clock may be behind
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _signing_only() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _write_certificate(path: Path, certificate: x509.Certificate) -> None:
    """Write by renaming, so that nobody ever reads half a certificate."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    draft.replace(path)


def _write_key(path: Path, key: ec.EllipticCurvePrivateKey) -> None:
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
