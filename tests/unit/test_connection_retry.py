"""Logins are retried after some errors and not after others. tests/postgres has the tests with a server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from rds_iam import connection
from rds_iam.connection import retry_connect
from rds_iam.deadline import Deadline
from rds_iam.errors import ConnectError
from rds_iam.settings import DatabaseSettings

REJECTED = 'connection failed: FATAL:  PAM authentication failed for user "migrator"'
STARTING = "connection failed: FATAL:  the database system is starting up"


class Clock:
    """A clock that advances only while the code sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    clock = Clock()
    monkeypatch.setattr("time.monotonic", clock.monotonic)
    monkeypatch.setattr("time.sleep", clock.sleep)
    yield clock
    monkeypatch.undo()


CONNECTION = cast("Connection", object())


def failing(message: str, times: int = 10**6) -> tuple[Callable[[], Connection], list[int]]:
    calls: list[int] = []

    def attempt() -> Connection:
        calls.append(1)
        if len(calls) > times:
            return CONNECTION
        raise psycopg2.OperationalError(message)

    return attempt, calls


def test_a_login_is_retried_while_the_server_is_starting_up(clock: Clock) -> None:
    attempt, calls = failing(STARTING, times=12)
    assert retry_connect(attempt, Deadline.after(300), "x") is CONNECTION
    assert len(calls) == 13


def test_the_error_after_the_deadline_has_the_message_of_the_server(clock: Clock) -> None:
    attempt, _ = failing(STARTING)
    with pytest.raises(ConnectError, match=r"cannot log in as migrator at db: .*the database system is starting up"):
        retry_connect(attempt, Deadline.after(60), "migrator at db")
    assert 50 < clock.now <= 60


def test_a_rejected_login_is_retried_for_as_long_as_a_new_policy_may_need(clock: Clock) -> None:
    attempt, _ = failing(REJECTED)
    with pytest.raises(ConnectError, match="PAM authentication failed"):
        retry_connect(attempt, Deadline.after(600), "x")
    assert 10 < clock.now <= connection.REJECTED_LOGIN_RETRY_SECONDS


@pytest.mark.parametrize(
    "message",
    [
        "SSL error: certificate verify failed",
        'server certificate for "other" does not match host name "db"',
        'root certificate file "rds-ca.pem" does not exist',
        'FATAL:  database "nope" does not exist',
    ],
)
def test_a_permanent_error_fails_at_once(clock: Clock, message: str) -> None:
    attempt, calls = failing(message)
    with pytest.raises(ConnectError):
        retry_connect(attempt, Deadline.after(600), "x")
    assert len(calls) == 1
    assert clock.now == 0


def test_an_error_of_another_kind_is_not_retried(clock: Clock) -> None:
    def attempt() -> Connection:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        retry_connect(attempt, Deadline.after(600), "x")


def test_each_attempt_uses_a_new_token(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    tokens = iter(["first", "second", "third"])
    tried: list[str] = []

    def open_connection(*_settings: object, password: str, **_options: object) -> Connection:
        tried.append(password)
        if len(tried) < 3:
            raise psycopg2.OperationalError(STARTING)
        return CONNECTION

    monkeypatch.setattr(connection, "generate_token", lambda _settings: next(tokens))
    monkeypatch.setattr(connection, "open_connection", open_connection)
    settings = DatabaseSettings("db", 5432, "app", "migrator", Path("rds-ca.pem"), "eu-central-1")
    assert connection.connect(settings, Deadline.after(60), application_name="tests") is CONNECTION
    assert tried == ["first", "second", "third"]
