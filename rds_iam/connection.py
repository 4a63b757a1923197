"""Connect to the database with an IAM token, over TLS that verifies the server. Retry until a deadline."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from rds_iam.backoff import Backoff
from rds_iam.deadline import Deadline
from rds_iam.errors import ConnectError
from rds_iam.settings import DatabaseSettings
from rds_iam.token import generate_token

CONNECT_TIMEOUT_SECONDS = 10
# A new policy takes effect after seconds, rarely minutes, and RDS rejects logins until then:
# https://github.com/DataDog/stratus-red-team/pull/358, https://github.com/gravitational/teleport/issues/17972
REJECTED_LOGIN_RETRY_SECONDS = 120.0
# A failover of RDS takes one or two minutes. A server that is away for longer is stopped, or cannot be reached at all:
# https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/Concepts.MultiAZSingleStandby.html
UNREACHABLE_RETRY_SECONDS = 180.0
_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0

# psycopg2 has no SQLSTATE for a failed connection, only the message of libpq or the server.
_PERMANENT = re.compile(r"certificate|does not exist|invalid (connection option|value)", re.IGNORECASE)
_REJECTED_LOGIN = re.compile(r"authentication failed|pg_hba\.conf", re.IGNORECASE)


def connect(
    settings: DatabaseSettings,
    deadline: Deadline,
    *,
    application_name: str,
    server_settings: Mapping[str, str] = MappingProxyType({}),
) -> Connection:
    """Log in with a token, a new one for each attempt. `server_settings` are the session's defaults.

    Raises ConnectError after the deadline, and at once for permanent errors (a certificate that cannot be verified, a
    database that does not exist). Retries for up to 3 minutes if the server cannot be reached, and for up to 2 minutes
    if it rejects the login.
    """

    def attempt() -> Connection:
        return open_connection(
            settings,
            password=generate_token(settings),
            application_name=application_name,
            server_settings=server_settings,
        )

    return retry_connect(attempt, deadline, f"{settings.user} at {settings.host}:{settings.port}/{settings.database}")


def open_connection(
    settings: DatabaseSettings,
    *,
    password: str,
    application_name: str,
    server_settings: Mapping[str, str] = MappingProxyType({}),
) -> Connection:
    """Open one connection. Raises psycopg2.OperationalError."""
    return psycopg2.connect(
        host=settings.host,
        port=settings.port,
        dbname=settings.database,
        user=settings.user,
        password=password,
        sslmode="verify-full",
        sslrootcert=str(settings.ssl_root_cert),
        connect_timeout=CONNECT_TIMEOUT_SECONDS,
        application_name=application_name,
        options=" ".join(f"-c {name}={value}" for name, value in server_settings.items()),
        keepalives=1,
        keepalives_idle=30,
        keepalives_interval=10,
        keepalives_count=3,
    )


def retry_connect(attempt: Callable[[], Connection], deadline: Deadline, login: str) -> Connection:
    """Call `attempt` until it returns a connection, with growing pauses. Raises ConnectError as `connect` does."""
    rejected_until = deadline.sooner(REJECTED_LOGIN_RETRY_SECONDS)
    unreachable_until = deadline.sooner(UNREACHABLE_RETRY_SECONDS)
    backoff = Backoff(_FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)
    while True:
        try:
            return attempt()
        except psycopg2.OperationalError as exc:
            message = " ".join(str(exc).split())
            until = rejected_until if is_rejected_login(exc) else unreachable_until
            if _PERMANENT.search(message) or not backoff.pause(until):
                raise ConnectError(f"cannot log in as {login}: {message}") from exc


def is_rejected_login(exc: psycopg2.OperationalError) -> bool:
    """Return whether a server has rejected the login. Any other failure means that it could not be reached."""
    return bool(_REJECTED_LOGIN.search(str(exc)))
