"""Who may log in to an emulated database: the signature by ministack's credentials, the permission by its policies."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from localaws.emulator import ministack
from localaws.errors import Refused
from localaws.rds_token import Credential, verify


@dataclass(frozen=True)
class EmulatedIam:
    """Checks a token as RDS does, against the account's users, roles and sessions. It is a `localaws` Authority.

    `resource` is the instance's `arn:aws:rds-db:REGION:ACCOUNT:dbuser:DBI_RESOURCE_ID`. Who was let in is written to
    the file `logins`, one JSON object a line.
    """

    account: str
    region: str
    resource: str
    logins: Path

    def check(self, *, user: str, token: str, host: str, port: int) -> str:
        """Return the principal that signed the token, if it may connect as the user; raise Refused otherwise."""
        signer = verify(token, user=user, host=host, port=port, region=self.region, credential=self._credential)
        principal = self._authorize(signer.principal, f"{self.resource}/{user}")
        with self.logins.open("a") as file:
            file.write(json.dumps({"user": user, "principal": principal}) + "\n")
        return principal

    def _credential(self, access_key: str) -> Credential | None:
        found = ministack.resolve_credential(access_key, self.account)
        if not hasattr(found, "secret_access_key"):
            return None
        # ministack gives the sessions of functions no expiry, where AWS gives them hours: the token has one anyway.
        expires = datetime.fromtimestamp(found.expiration, UTC) if found.expiration else None
        return Credential(found.secret_access_key, found.session_token, expires, principal=access_key)

    def _authorize(self, access_key: str, resource_arn: str) -> str:
        principal, decision = ministack.is_allowed(
            access_key, action="rds-db:connect", resource_arn=resource_arn, account=self.account, region=self.region
        )
        if decision != "Allow":
            raise Refused(f"{decision} rds-db:connect on {resource_arn} for {principal}")
        return principal
