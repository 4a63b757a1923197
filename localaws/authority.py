"""Who decides whether a token lets somebody in: RDS asks IAM, the front door asks an authority."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from typing import Protocol

from localaws.errors import Refused
from localaws.rds_token import Credential, verify

__all__ = ["Authority", "Credential", "Refused", "StaticAuthority"]


class Authority(Protocol):
    """Decides about one login; called from a thread of its own."""

    def check(self, *, user: str, token: str, host: str, port: int) -> str:
        """Return the principal that signed `token` for this login, or raise Refused with the reason."""
        ...


class StaticAuthority:
    """An authority that knows its access keys by heart, for tests; they may change while it is asked."""

    def __init__(self, region: str, resource_arn: str, credentials: Mapping[str, Credential] | None = None) -> None:
        """`resource_arn`: arn:aws:rds-db:REGION:ACCOUNT:dbuser:DBI-RESOURCE-ID, without a user."""
        self.region = region
        self.resource_arn = resource_arn
        self._credentials = dict(credentials or {})
        self._lock = threading.Lock()

    def put(self, access_key: str, credential: Credential) -> None:
        """Add an access key, or replace what is known of it."""
        with self._lock:
            self._credentials[access_key] = credential

    def remove(self, access_key: str) -> None:
        """Forget an access key."""
        with self._lock:
            self._credentials.pop(access_key, None)

    def check(self, *, user: str, token: str, host: str, port: int) -> str:
        """Return the access key that signed `token`, if its `allow` covers this user."""
        signer = verify(
            token, user=user, host=host, port=port, region=self.region, credential=self._find, now=datetime.now(UTC)
        )
        arn = f"{self.resource_arn}/{user}"
        if not any(fnmatchcase(arn, allowed) for allowed in signer.allow):
            raise Refused(f"no policy of {signer.principal!r} allows rds-db:connect on {arn}")
        return signer.principal

    def _find(self, access_key: str) -> Credential | None:
        with self._lock:
            credential = self._credentials.get(access_key)
        return credential and replace(credential, principal=access_key)
