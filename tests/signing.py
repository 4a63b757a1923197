"""Tokens from AWS's own library, so that the tests do not verify this project's code with itself."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any
from unittest import mock

from botocore.session import Session


@dataclass(frozen=True)
class Signer:
    """Signs tokens with an access key, which may be unknown to the verifier."""

    access_key: str
    secret: str
    session_token: str | None = None

    def token(self, *, user: str, host: str, port: int, region: str, at: datetime | None = None) -> str:
        """Return a token signed at the time `at`, or now."""
        signed = (at or datetime.now(UTC)).astimezone(UTC).replace(tzinfo=None)
        with mock.patch("botocore.auth.get_current_datetime", return_value=signed):
            token = _client(self).generate_db_auth_token(host, port, user, Region=region)
        return str(token)


@cache
def _client(signer: Signer) -> Any:
    session = Session()
    session.set_credentials(signer.access_key, signer.secret, signer.session_token)
    return session.create_client("rds", region_name="eu-central-1")
