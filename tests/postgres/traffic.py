"""An application that reads and writes `parcels` continuously, and the locks that revisions hold on the table."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

import sqlalchemy as sa
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - psycopg2 spells its class in lower case

from tests.postgres.servers import Cluster

PAUSE_SECONDS = 0.005
# The weakest first: https://www.postgresql.org/docs/17/explicit-locking.html#LOCKING-TABLES
LOCKS = (
    "ACCESS SHARE",
    "ROW SHARE",
    "ROW EXCLUSIVE",
    "SHARE UPDATE EXCLUSIVE",
    "SHARE",
    "SHARE ROW EXCLUSIVE",
    "EXCLUSIVE",
    "ACCESS EXCLUSIVE",
)
HOLD_UP_WRITERS = LOCKS[LOCKS.index("SHARE") :]


@dataclass(frozen=True)
class Code:
    """One version of the application: its statements."""

    insert: str = """
        INSERT INTO parcels (recipient, address, weight, depot_id)
        VALUES (%(recipient)s, %(address)s, %(weight)s, 1) RETURNING id
    """
    move: str = "UPDATE parcels SET recipient = %(recipient)s, address = %(address)s WHERE id = %(id)s"
    weigh: str = "UPDATE parcels SET weight = %(weight)s WHERE id = %(id)s"
    read: str = "SELECT id, recipient, address, weight FROM parcels WHERE id = %(id)s"


@dataclass
class Traffic:
    """The statements that the application has executed. Each of the `codes`, which may change, executes one in turn.

    `written` are the last values that the application has written, by row and column. Durations are in seconds.
    """

    rows: int
    codes: tuple[Code, ...]
    written: dict[int, dict[str, object]] = field(default_factory=dict)
    reads: list[float] = field(default_factory=list)
    writes: list[float] = field(default_factory=list)

    def read(self, cursor: Cursor, dice: random.Random) -> None:
        for code in self.codes:
            with _timed(self.reads):
                cursor.execute(code.read, {"id": dice.randint(1, self.rows)})
            assert cursor.fetchone()

    def write(self, cursor: Cursor, dice: random.Random) -> None:
        """Add a row and change two existing rows, with each code."""
        for code in self.codes:
            words: dict[str, object] = {"recipient": f"{_name(dice)} ", "address": f"Road {_name(dice)}, {_name(dice)}"}
            new = {**words, "weight": dice.randint(1, 9999)}
            with _timed(self.writes):
                cursor.execute(code.insert, new)
            ((added,),) = cursor.fetchall()
            self.written[added] = new
            self._change(cursor, code.move, dice.randint(1, self.rows), words)
            self._change(cursor, code.weigh, dice.randint(1, self.rows), {"weight": dice.randint(1, 9999)})

    def _change(self, cursor: Cursor, statement: str, row: int, values: dict[str, object]) -> None:
        with _timed(self.writes):
            cursor.execute(statement, {"id": row, **values})
        self.written.setdefault(row, {}).update(values)

    @property
    def longest(self) -> float:
        return max(self.reads + self.writes)

    def __str__(self) -> str:
        reads, writes = ((len(times), max(times) * 1000) for times in (self.reads, self.writes))
        return f"longest of {reads[0]} reads {reads[1]:.0f} ms, of {writes[0]} writes {writes[1]:.0f} ms"


@contextmanager
def traffic(cluster: Cluster, rows: int, *codes: Code) -> Iterator[Traffic]:
    """Read and write by key as the querier while the block runs; raise the errors of the application."""
    application = Traffic(rows, codes)
    stop = threading.Event()

    def loop(work: Callable[[Cursor, random.Random], None]) -> None:
        dice = random.Random(work.__name__)
        with closing(cluster.connect_with_token("querier")) as connection, connection.cursor() as cursor:
            connection.autocommit = True
            while not stop.wait(PAUSE_SECONDS):
                work(cursor, dice)

    with ThreadPoolExecutor(2) as pool:
        running = [pool.submit(loop, work) for work in (application.read, application.write)]
        try:
            _wait_for(application, running)
            yield application
        finally:
            stop.set()
            for thread in running:
                thread.result()


def _wait_for(application: Traffic, running: list[Future[None]]) -> None:
    while not (application.reads and application.writes) and not any(thread.done() for thread in running):
        time.sleep(0.001)


@contextmanager
def _timed(times: list[float]) -> Iterator[None]:
    began = time.monotonic()
    yield
    times.append(time.monotonic() - began)


def _name(dice: random.Random) -> str:
    return "".join(dice.choices("abcdefghij", k=8))


@dataclass
class Held:
    """The strongest lock of a transaction on `parcels` at its commit, and the number of rows that it has accessed."""

    lock: str
    rows: int

    @property
    def makes_others_wait_for_rows(self) -> bool:
        return self.lock in HOLD_UP_WRITERS and self.rows > 0


@contextmanager
def watched() -> Iterator[dict[str, Held]]:
    """Record the lock and the rows of each transaction before its commit, by revision."""
    held: dict[str, Held] = {}
    before: dict[sa.Connection, int] = {}

    def begin(connection: sa.Connection) -> None:
        before[connection] = _rows_touched(connection)

    def commit(connection: sa.Connection) -> None:
        rows = _rows_touched(connection) - before.get(connection, 0)
        if locks := [lock for (lock,) in _ask(connection, _LOCKS_HELD)]:
            ((revision,),) = _ask(connection, "SELECT version_num FROM alembic_version")
            held[str(revision)] = Held(max(map(_words, locks), key=LOCKS.index), rows)

    sa.event.listen(sa.Engine, "begin", begin)
    sa.event.listen(sa.Engine, "commit", commit)
    try:
        yield held
    finally:
        sa.event.remove(sa.Engine, "begin", begin)
        sa.event.remove(sa.Engine, "commit", commit)


_LOCKS_HELD = """
SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND granted AND relation = to_regclass('parcels')
"""
# The view includes statistics of earlier transactions that are not reported yet.
_ROWS_TOUCHED = """
SELECT coalesce(sum(seq_tup_read + idx_tup_fetch + n_tup_ins + n_tup_upd + n_tup_del), 0)
FROM pg_stat_xact_user_tables WHERE relname = 'parcels'
"""


def _rows_touched(connection: sa.Connection) -> int:
    ((rows,),) = _ask(connection, _ROWS_TOUCHED)
    return int(str(rows))


def _ask(connection: sa.Connection, sql: str) -> list[tuple[object, ...]]:
    cursor = connection.connection.cursor()
    cursor.execute(sql)
    return list(cursor.fetchall())


def _words(mode: object) -> str:
    """Return the words of a lock mode: ACCESS EXCLUSIVE for AccessExclusiveLock."""
    return " ".join(re.findall("[A-Z][a-z]+", str(mode).removesuffix("Lock"))).upper()
