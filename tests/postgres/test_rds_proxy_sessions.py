"""Sessions through the proxy, which behave as sessions without a proxy."""

import io
import os
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import psycopg2
import pytest
from psycopg2 import errors
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from localaws.postgres import RestartMode
from localaws.rds import RdsInstance
from tests.postgres.proxies import PASSWORD, ProxyClient, answer, message, query, startup
from tests.waiting import wait_until

type Connect = Callable[[], Connection]


@pytest.fixture(params=["token", "password"])
def connect(request: pytest.FixtureRequest, proxy: ProxyClient, role: str) -> Connect:
    """Log in as a new role, by token or by password: the connection of the proxy to the server differs."""
    if request.param == "token":
        proxy.postgres.admin(f"GRANT rds_iam TO {role}")
        return lambda: proxy.connect_with_token(role)
    proxy.postgres.admin(f"ALTER ROLE {role} PASSWORD '{PASSWORD}'")
    return lambda: proxy.connect(role, PASSWORD)


def sessions_of(postgres: RdsInstance, application: str) -> int:
    rows = postgres.admin(f"SELECT count(*) FROM pg_stat_activity WHERE application_name = '{application}'")
    return int(rows[0][0])


def test_a_copy_of_megabytes_is_complete_in_both_directions(connect: Connect) -> None:
    text = "".join(f"{number}\t{'x' * 100}\n" for number in range(60_000))
    with closing(connect()) as session, session.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE t (id int, content text)")
        cursor.copy_expert("COPY t FROM STDIN", io.StringIO(text))
        output = io.StringIO()
        cursor.copy_expert("COPY t TO STDOUT", output)
    assert output.getvalue() == text


def test_a_cancel_from_another_thread_ends_a_statement(connect: Connect) -> None:
    with closing(connect()) as session:
        timer = threading.Timer(0.2, session.cancel)
        timer.start()
        with pytest.raises(errors.QueryCanceled):
            query(session, "SELECT pg_sleep(30)")
        timer.join()
        assert query(session, "SELECT 1") == [(1,)]


def test_an_error_of_the_server_reaches_the_client_unchanged(connect: Connect) -> None:
    with closing(connect()) as session, pytest.raises(errors.DivisionByZero, match="division by zero"):
        query(session, "SELECT 1/0")


def test_the_session_of_a_disconnected_client_ends(connect: Connect, proxy: ProxyClient) -> None:
    session = connect()
    query(session, "SET application_name = 'disconnecting'")
    assert sessions_of(proxy.postgres, "disconnecting") == 1
    with socket.fromfd(session.fileno(), socket.AF_INET, socket.SOCK_STREAM) as connection:
        connection.shutdown(socket.SHUT_RDWR)
    wait_until(lambda: sessions_of(proxy.postgres, "disconnecting") == 0)
    session.close()


def test_the_last_message_of_a_terminated_session_reaches_the_client(proxy: ProxyClient, iam_role: str) -> None:
    with proxy.tls() as session:  # psycopg2 drops them
        session.sendall(startup(f"user\0{iam_role}\0database\0app\0\0".encode()))
        session.sendall(message(b"p", proxy.token(iam_role)))
        session.sendall(message(b"Q", "SELECT pg_terminate_backend(pg_backend_pid())"))
        assert b"terminating connection due to administrator command" in answer(session)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_a_restart_ends_sessions_and_accepts_new_sessions(
    connect: Connect, proxy: ProxyClient, mode: RestartMode
) -> None:
    with closing(connect()) as session:
        proxy.postgres.restart(mode)
        with pytest.raises(psycopg2.OperationalError):
            query(session, "SELECT 1")
    with closing(connect()) as session:
        assert query(session, "SELECT 1") == [(1,)]


def test_fifty_logins_at_the_same_time_succeed(connect: Connect) -> None:
    connect().close()  # create botocore's client once, and not fifty times at the same time

    def login(_number: int) -> list[tuple[int]]:
        with closing(connect()) as session:
            return query(session, "SELECT 1")

    with ThreadPoolExecutor(50) as pool:
        assert list(pool.map(login, range(50))) == [[(1,)]] * 50


def test_the_server_ends_the_session_of_a_client_that_was_killed_during_a_statement(
    connect: Connect, proxy: ProxyClient
) -> None:
    session = connect()
    query(session, "SET application_name = 'killed'; SET client_connection_check_interval = '500ms'")
    waiting = threading.Thread(target=_run_until_cut, args=(session, "SELECT pg_sleep(30)"))
    waiting.start()
    wait_until(lambda: proxy.postgres.admin(SLEEPING) == [(1,)])
    socket.socket(fileno=os.dup(session.fileno())).shutdown(socket.SHUT_RDWR)  # as the kernel does for a killed process
    wait_until(lambda: sessions_of(proxy.postgres, "killed") == 0)
    waiting.join()


SLEEPING = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'killed' AND wait_event = 'PgSleep'"


def _run_until_cut(session: Connection, sql: str) -> None:
    with pytest.raises(psycopg2.OperationalError):
        query(session, sql)
