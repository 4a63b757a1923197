"""A token verifier with a fixed list of access keys."""

import threading
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from fnmatch import fnmatchcase

from localaws.errors import AuthenticationError
from localaws.rds import Credential, verify_token


class StaticTokenVerifier:
    """Verifies tokens against access keys. A test may change the access keys at any time."""

    def __init__(self, region: str, resource_arn: str, credentials: Mapping[str, Credential] | None = None) -> None:
        """`resource_arn`: arn:aws:rds-db:REGION:ACCOUNT:dbuser:DBI-RESOURCE-ID, without a user."""
        self.region = region
        self.resource_arn = resource_arn
        self._credentials = dict(credentials or {})
        self._lock = threading.Lock()

    def put(self, access_key: str, credential: Credential) -> None:
        """Add or replace an access key."""
        with self._lock:
            self._credentials[access_key] = credential

    def verify(self, *, user: str, token: str, host: str, port: int) -> str:
        """Return the access key that signed `token`, if its `allow` includes this user."""
        signer = verify_token(
            token, user=user, host=host, port=port, region=self.region, credential=self._find, now=datetime.now(UTC)
        )
        arn = f"{self.resource_arn}/{user}"
        if not any(fnmatchcase(arn, allowed) for allowed in signer.allow):
            raise AuthenticationError(f"no policy of {signer.principal!r} allows rds-db:connect on {arn}")
        return signer.principal

    def _find(self, access_key: str) -> Credential | None:
        with self._lock:
            credential = self._credentials.get(access_key)
        return credential and replace(credential, principal=access_key)
