"""The token verifier of the emulator: signatures by ministack's credentials, permissions by ministack's policies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localaws.emulator import ministack
from localaws.errors import AuthenticationError
from localaws.rds import Credential, verify_token


@dataclass(frozen=True)
class EmulatorTokenVerifier:
    """Verifies tokens against the users, roles and sessions of the account.

    `resource`: the instance's `arn:aws:rds-db:REGION:ACCOUNT:dbuser:DBI_RESOURCE_ID`. The file `logins` gets one line
    of JSON for each accepted login.
    """

    account: str
    region: str
    resource: str
    logins: Path

    def verify(self, *, user: str, token: str, host: str, port: int) -> str:
        """Return the principal that signed the token, if it may connect as the user. Raises AuthenticationError."""
        signer = verify_token(token, user=user, host=host, port=port, region=self.region, credential=self._credential)
        principal = self._authorize(signer.principal, f"{self.resource}/{user}")
        with self.logins.open("a") as file:
            file.write(json.dumps({"user": user, "principal": principal}) + "\n")
        return principal

    def _credential(self, access_key: str) -> Credential | None:
        resolved = ministack.resolve_credential(access_key, self.account)
        if not hasattr(resolved, "secret_access_key"):
            return None
        # The sessions of functions have no expiration in ministack, and hours on AWS. The token itself expires.
        expires = datetime.fromtimestamp(resolved.expiration, UTC) if resolved.expiration else None
        return Credential(resolved.secret_access_key, resolved.session_token, expires, principal=access_key)

    def _authorize(self, access_key: str, resource_arn: str) -> str:
        principal, decision = ministack.is_allowed(
            access_key, action="rds-db:connect", resource_arn=resource_arn, account=self.account, region=self.region
        )
        if decision != "Allow":
            raise AuthenticationError(f"{decision} rds-db:connect on {resource_arn} for {principal}")
        return principal
