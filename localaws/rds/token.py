"""Verify a token for IAM login as RDS does: compute the signature (AWS version 4) of the token again.

A token is a presigned URL without its scheme:
    HOST:PORT/?Action=connect&DBUser=USER&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=KEY/DATE/REGION/rds-db/aws4_request
    &X-Amz-Date=TIME&X-Amz-Expires=900&X-Amz-SignedHeaders=host[&X-Amz-Security-Token=SESSION]&X-Amz-Signature=HEX
"""

import hashlib
import hmac
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote, unquote

from localaws.errors import AuthenticationError

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "rds-db"
MAX_TOKEN_LENGTH = 16_384
MAX_VALIDITY_SECONDS = 900  # AWS signs for 15 minutes and rejects more
MAX_CLOCK_SKEW_SECONDS = 300  # the clock of the signer may be ahead

FIXED = {"Action": "connect", "X-Amz-Algorithm": ALGORITHM, "X-Amz-SignedHeaders": "host"}
REQUIRED = {*FIXED, "DBUser", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"}
SESSION_TOKEN = "X-Amz-Security-Token"  # noqa: S105 - a parameter's name, not a secret


@dataclass(frozen=True)
class Credential:
    """The secrets of an access key. `allow`: patterns of the rds-db ARNs that its policies allow it to connect to."""

    secret: str
    session_token: str | None = None
    expires: datetime | None = None
    allow: tuple[str, ...] = ()
    principal: str = ""


@dataclass(frozen=True)
class Scope:
    """The parts of X-Amz-Credential."""

    access_key: str
    day: str
    region: str

    def __str__(self) -> str:
        return f"{self.day}/{self.region}/{SERVICE}/aws4_request"


def verify_token(
    token: str,
    *,
    user: str,
    host: str,
    port: int,
    region: str,
    credential: Callable[[str], Credential | None],
    now: datetime | None = None,
) -> Credential:
    """Return the credential that signed `token` for this login. Raises AuthenticationError with the reason.

    `credential` looks up an access key. The caller checks the policies of the credential.
    """
    now = now or datetime.now(UTC)
    address, parameters = _parse(token)
    _check_target(address, parameters, user=user, host=host, port=port)
    scope = _scope(parameters, region)
    _check_time(parameters, now)
    signer = _signer(scope, parameters, credential, now)
    expected = _signature(address, parameters, scope, signer.secret)
    if not hmac.compare_digest(expected.encode(), parameters["X-Amz-Signature"].encode()):
        raise AuthenticationError("the signature does not match")
    return signer


def _parse(token: str) -> tuple[str, dict[str, str]]:
    if len(token) > MAX_TOKEN_LENGTH:
        raise AuthenticationError(f"the token must have at most {MAX_TOKEN_LENGTH} characters (got {len(token)})")
    shape = re.fullmatch(r"([A-Za-z0-9.-]+:[0-9]{1,5})/\?([!-~]+)", token)
    if not shape:
        raise AuthenticationError("the token must be a presigned URL without its scheme")
    return shape[1], _parameters(shape[2])


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = (unquote(piece) for piece in part.partition("="))
        if name in parameters:
            raise AuthenticationError(f"the token must have the parameter {name[:40]!r} once only")
        parameters[name] = value
    if missing := REQUIRED - parameters.keys():
        raise AuthenticationError(f"the token must have {', '.join(sorted(missing))}")
    if unknown := parameters.keys() - REQUIRED - {SESSION_TOKEN}:
        raise AuthenticationError(f"the token must not have {', '.join(name[:40] for name in sorted(unknown))}")
    return parameters


def _check_target(address: str, parameters: dict[str, str], *, user: str, host: str, port: int) -> None:
    for name, value in FIXED.items():
        if parameters[name] != value:
            raise AuthenticationError(f"{name} must be {value!r} (got {parameters[name][:40]!r})")
    if parameters["DBUser"] != user:
        raise AuthenticationError(f"DBUser must be the user of the login, {user!r} (got {parameters['DBUser'][:64]!r})")
    if address.lower() != f"{host}:{port}".lower():
        raise AuthenticationError(f"the address of the token must be '{host}:{port}' (got {address!r})")


def _scope(parameters: dict[str, str], region: str) -> Scope:
    scope = re.fullmatch(r"([!-.0-~]{1,128})/([0-9]{8})/([^/]+)/([^/]+)/aws4_request", parameters["X-Amz-Credential"])
    if not scope:
        raise AuthenticationError("X-Amz-Credential must be KEY/DATE/REGION/rds-db/aws4_request")
    access_key, day, signed_region, service = scope.groups()
    if service != SERVICE:
        raise AuthenticationError(f"the service of X-Amz-Credential must be {SERVICE!r} (got {service[:40]!r})")
    if signed_region != region:
        raise AuthenticationError(f"the region of X-Amz-Credential must be {region!r} (got {signed_region[:40]!r})")
    if not parameters["X-Amz-Date"].startswith(day):
        raise AuthenticationError("the date of X-Amz-Credential must be the date of X-Amz-Date")
    return Scope(access_key, day, region)


def _check_time(parameters: dict[str, str], now: datetime) -> None:
    validity = parameters["X-Amz-Expires"]
    if not re.fullmatch("[0-9]{1,6}", validity) or not 0 < int(validity) <= MAX_VALIDITY_SECONDS:
        raise AuthenticationError(f"X-Amz-Expires must be between 1 and {MAX_VALIDITY_SECONDS} (got {validity[:40]!r})")
    try:
        signed = datetime.strptime(parameters["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise AuthenticationError("X-Amz-Date must be a time such as 20261122T235958Z") from None
    age = (now - signed).total_seconds()
    if age > int(validity):
        raise AuthenticationError(f"the token expired {age - int(validity):.0f} s ago")
    if age < -MAX_CLOCK_SKEW_SECONDS:
        raise AuthenticationError(f"the token is signed {-age:.0f} s in the future")


def _signer(
    scope: Scope, parameters: dict[str, str], credential: Callable[[str], Credential | None], now: datetime
) -> Credential:
    signer = credential(scope.access_key)
    if signer is None:
        raise AuthenticationError(f"unknown access key {scope.access_key!r}")
    if parameters.get(SESSION_TOKEN) != signer.session_token:
        raise AuthenticationError(f"the session token must be the session token of access key {scope.access_key!r}")
    if signer.expires is not None and now >= signer.expires:
        raise AuthenticationError(f"the session of access key {scope.access_key!r} has expired")
    return signer


def _signature(address: str, parameters: dict[str, str], scope: Scope, secret: str) -> str:
    signed = sorted((name, value) for name, value in parameters.items() if name != "X-Amz-Signature")
    query = "&".join(f"{_encode(name)}={_encode(value)}" for name, value in signed)
    request = f"GET\n/\n{query}\nhost:{address.lower()}\n\nhost\n{_sha256('')}"
    message = f"{ALGORITHM}\n{parameters['X-Amz-Date']}\n{scope}\n{_sha256(request)}"
    key = f"AWS4{secret}".encode()
    for part in str(scope).split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    return hmac.digest(key, message.encode(), "sha256").hex()


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
