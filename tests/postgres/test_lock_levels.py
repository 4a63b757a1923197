"""The comparison of the locks that `make plan` estimates with the locks that PostgreSQL holds."""

import secrets
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from localaws.rds import RdsInstance
from review.planning.lock_modes import LockMode
from review.planning.locks import StatementLocks, estimate, modes_from_squawk
from review.planning.schema import Schema
from review.planning.syntax import parse
from tests.postgres.lock_statements import BEFORE, CONCURRENT, STATEMENTS
from tests.postgres.servers import SETTINGS

RELATIONS = """
SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p', 'v', 'm', 'S')
"""
HELD = "SELECT relation, mode FROM pg_locks WHERE pid = %s AND relation IS NOT NULL AND granted"
type Held = set[tuple[str, str]]


@pytest.fixture(scope="module")
def prepared(postgres: RdsInstance) -> Iterator[str]:
    """Yield a database with the relations in the statements."""
    name = f"locks_{secrets.token_hex(4)}"
    postgres.admin(f'CREATE DATABASE "{name}" OWNER "{SETTINGS.master_username}"')
    with connect(postgres, name) as session:
        session.autocommit = True
        execute(session, *BEFORE)
    yield name
    postgres.admin(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def connect(postgres: RdsInstance, database: str) -> Iterator[Connection]:
    with closing(
        psycopg2.connect(
            host=postgres.host,
            port=postgres.port,
            dbname=database,
            user=SETTINGS.master_username,
            password=SETTINGS.master_password,
            sslmode="require",
        )
    ) as session:
        yield session


def estimated(statement: str) -> StatementLocks:
    *before, last = parse([*BEFORE, statement])
    schema = Schema()
    for tree in before:
        schema.apply(tree)
    schema.new.clear()
    (mode,) = modes_from_squawk([last])
    return estimate(last, mode, schema)


def on_tables_and_views(locks: StatementLocks) -> Held:
    return {(lock.name, str(lock.mode)) for lock in locks.held if not lock.is_new and "index" not in lock.kind}


def held(observer: Connection, pid: int, names: dict[int, str]) -> Held:
    """Return the strictest mode on each relation that existed before."""
    with observer.cursor() as cursor:
        cursor.execute(HELD, (pid,))
        locks = [(names[oid], spelled(mode)) for oid, mode in cursor.fetchall() if oid in names]
    order = [str(mode) for mode in LockMode]
    return {(name, max((m for n, m in locks if n == name), key=order.index)) for name, _ in locks}


def spelled(mode: str) -> str:
    """Turn pg_locks' AccessExclusiveLock into the documentation's ACCESS EXCLUSIVE."""
    return "".join(f" {letter}" if letter.isupper() else letter for letter in mode.removesuffix("Lock")).strip().upper()


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_statement_takes_the_locks_that_are_estimated(postgres: RdsInstance, prepared: str, statement: str) -> None:
    with connect(postgres, prepared) as session, session.cursor() as cursor:
        cursor.execute(RELATIONS)
        names = dict(cursor.fetchall())
        session.rollback()  # the locks on the catalog do not count
        cursor.execute(statement)
        taken = held(session, session.info.backend_pid, names)
    locks = estimated(statement)
    assert locks.is_complete
    assert on_tables_and_views(locks) == taken


@pytest.mark.parametrize("statement", CONCURRENT)
def test_a_concurrent_statement_takes_the_locks_that_are_estimated(
    postgres: RdsInstance, database: str, statement: str
) -> None:
    with (
        connect(postgres, database) as other,
        connect(postgres, database) as session,
        connect(postgres, database) as observer,
        observer.cursor() as cursor,
    ):
        session.autocommit = observer.autocommit = True
        execute(observer, *BEFORE)
        cursor.execute(RELATIONS)
        names = dict(cursor.fetchall())
        execute(other, "UPDATE t SET a = 1", "SELECT * FROM part")  # an open transaction, for the statement to wait for
        thread = Thread(target=execute, args=(session, statement))
        thread.start()
        wait_until_it_waits(observer, session.info.backend_pid)
        taken = held(observer, session.info.backend_pid, names)
        other.rollback()
        thread.join()
    assert taken
    # The statement locks the detached partition only after the wait.
    assert {lock for lock in on_tables_and_views(estimated(statement)) if lock[0] != "part"} == taken


def execute(session: Connection, *statements: str) -> None:
    with session.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def wait_until_it_waits(observer: Connection, pid: int) -> None:
    ends = time.monotonic() + 10
    with observer.cursor() as cursor:
        while time.monotonic() < ends:
            cursor.execute("SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'", (pid,))
            if cursor.fetchone():
                return
            time.sleep(0.05)
    raise AssertionError("the statement does not wait for a lock")
