"""Verify a token for IAM login the way RDS does: rebuild AWS's signature (version 4) from what the token says.

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

from localaws.errors import Refused

ALGORITHM = "AWS4-HMAC-SHA256"
SERVICE = "rds-db"
LONGEST_TOKEN = 16_384
LONGEST_VALIDITY = 900  # seconds; AWS signs for 15 minutes and accepts no more
CLOCK_SKEW = 300  # seconds a signer's clock may be ahead

FIXED = {"Action": "connect", "X-Amz-Algorithm": ALGORITHM, "X-Amz-SignedHeaders": "host"}
REQUIRED = {*FIXED, "DBUser", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-Signature"}
SESSION_TOKEN = "X-Amz-Security-Token"  # noqa: S105 - a parameter's name, not a secret


@dataclass(frozen=True)
class Credential:
    """What AWS knows of an access key. `allow`: the globs of rds-db ARNs that its policies let it connect to."""

    secret: str
    session_token: str | None = None
    expires: datetime | None = None
    allow: tuple[str, ...] = ()
    principal: str = ""


@dataclass(frozen=True)
class Scope:
    """Who signed, and for what: the parts of X-Amz-Credential."""

    access_key: str
    day: str
    region: str

    def __str__(self) -> str:
        return f"{self.day}/{self.region}/{SERVICE}/aws4_request"


def verify(
    token: str,
    *,
    user: str,
    host: str,
    port: int,
    region: str,
    credential: Callable[[str], Credential | None],
    now: datetime | None = None,
) -> Credential:
    """Return the credential that signed `token` for this login, or raise Refused with the reason.

    `credential` looks up an access key. Whether its policies allow the login is not decided here.
    """
    now = now or datetime.now(UTC)
    address, parameters = _parse(token)
    _check_target(address, parameters, user=user, host=host, port=port)
    scope = _scope(parameters, region)
    _check_time(parameters, now)
    signer = _signer(scope, parameters, credential, now)
    expected = _signature(address, parameters, scope, signer.secret)
    if not hmac.compare_digest(expected.encode(), parameters["X-Amz-Signature"].encode()):
        raise Refused("the signature does not match")
    return signer


def _parse(token: str) -> tuple[str, dict[str, str]]:
    if len(token) > LONGEST_TOKEN:
        raise Refused(f"the token has {len(token)} characters, more than {LONGEST_TOKEN}")
    shape = re.fullmatch(r"([A-Za-z0-9.-]+:[0-9]{1,5})/\?([!-~]+)", token)
    if not shape:
        raise Refused("not a token: it should be a presigned URL without its scheme")
    return shape[1], _parameters(shape[2])


def _parameters(query: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for part in query.split("&"):
        name, _, value = (unquote(piece) for piece in part.partition("="))
        if name in parameters:
            raise Refused(f"parameter {name[:40]!r} is given twice")
        parameters[name] = value
    if missing := REQUIRED - parameters.keys():
        raise Refused(f"parameters missing: {', '.join(sorted(missing))}")
    if unknown := parameters.keys() - REQUIRED - {SESSION_TOKEN}:
        raise Refused(f"parameters unknown: {', '.join(name[:40] for name in sorted(unknown))}")
    return parameters


def _check_target(address: str, parameters: dict[str, str], *, user: str, host: str, port: int) -> None:
    for name, value in FIXED.items():
        if parameters[name] != value:
            raise Refused(f"{name} is {parameters[name][:40]!r}, it should be {value!r}")
    if parameters["DBUser"] != user:
        raise Refused(f"the token is for user {parameters['DBUser'][:64]!r}, the login for {user!r}")
    if address.lower() != f"{host}:{port}".lower():
        raise Refused(f"the token is for {address!r}, this is '{host}:{port}'")


def _scope(parameters: dict[str, str], region: str) -> Scope:
    scope = re.fullmatch(r"([!-.0-~]{1,128})/([0-9]{8})/([^/]+)/([^/]+)/aws4_request", parameters["X-Amz-Credential"])
    if not scope:
        raise Refused("malformed X-Amz-Credential")
    access_key, day, signed_region, service = scope.groups()
    if service != SERVICE:
        raise Refused(f"the token is signed for service {service[:40]!r}, not {SERVICE!r}")
    if signed_region != region:
        raise Refused(f"the token is signed for region {signed_region[:40]!r}, this is {region!r}")
    if not parameters["X-Amz-Date"].startswith(day):
        raise Refused("the day of X-Amz-Credential is not that of X-Amz-Date")
    return Scope(access_key, day, region)


def _check_time(parameters: dict[str, str], now: datetime) -> None:
    validity = parameters["X-Amz-Expires"]
    if not re.fullmatch("[0-9]{1,6}", validity) or not 0 < int(validity) <= LONGEST_VALIDITY:
        raise Refused(f"X-Amz-Expires is {validity[:40]!r}, it should be 1 to {LONGEST_VALIDITY}")
    try:
        signed = datetime.strptime(parameters["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        raise Refused("malformed X-Amz-Date") from None
    age = (now - signed).total_seconds()
    if age > int(validity):
        raise Refused(f"the token expired {age - int(validity):.0f} s ago")
    if age < -CLOCK_SKEW:
        raise Refused(f"the token is signed {-age:.0f} s in the future")


def _signer(
    scope: Scope, parameters: dict[str, str], credential: Callable[[str], Credential | None], now: datetime
) -> Credential:
    signer = credential(scope.access_key)
    if signer is None:
        raise Refused(f"unknown access key {scope.access_key!r}")
    if parameters.get(SESSION_TOKEN) != signer.session_token:
        raise Refused(f"the session token is missing, or not that of access key {scope.access_key!r}")
    if signer.expires is not None and now >= signer.expires:
        raise Refused(f"the session of access key {scope.access_key!r} has expired")
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
