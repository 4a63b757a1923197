"""The certificate authority of the local AWS, in the place of the authority of RDS and of AWS's APIs."""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import trustme

NO_HOST = "client.invalid"
"""The host name in a client's certificate: strict verification rejects a certificate without one."""


class CertificateAuthority:
    """Issues certificates. Its files, and those of the certificates, are in `folder`.

    Several processes may use one folder. The first one creates the authority.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca_path = folder / "ca.crt"
        key_path = folder / "ca.key"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        with self._lock():
            if not self.ca_path.exists() or not key_path.exists():
                authority = trustme.CA()
                _write(key_path, authority.private_key_pem)
                _write(self.ca_path, authority.cert_pem)
            self._certificate = self.ca_path.read_bytes()
            self._key = key_path.read_bytes()

    def issue(self, hosts: Sequence[str]) -> tuple[Path, Path]:
        """Return the paths of the certificate and the key of a server at `hosts` (names or addresses)."""
        return self._issue(*hosts)

    def issue_client(self, name: str) -> tuple[Path, Path]:
        """Return the paths of the certificate and the key of a client that logs in to PostgreSQL as `name`."""
        return self._issue(NO_HOST, common_name=name)

    def _issue(self, *hosts: str, common_name: str | None = None) -> tuple[Path, Path]:
        digest = hashlib.sha256(repr((self._certificate, hosts, common_name)).encode()).hexdigest()[:16]
        certificate, key = self.folder / f"{digest}.crt", self.folder / f"{digest}.key"
        with self._lock():
            if not certificate.exists():
                authority = trustme.CA.from_pem(self._certificate, self._key)
                issued = authority.issue_cert(*hosts, common_name=common_name)
                _write(key, issued.private_key_pem)
                _write(certificate, issued.cert_chain_pems[0])
        return certificate, key

    @contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _write(path: Path, pem: trustme.Blob) -> None:
    """Write a private file by renaming, so that no process reads a part of it."""
    draft = path.with_suffix(f"{path.suffix}.draft")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem.bytes())
    draft.replace(path)
