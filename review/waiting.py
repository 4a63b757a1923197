"""The observation of a statement outside a transaction: it waits behind open transactions, and its locks are read.

The first transaction holds SHARE ROW EXCLUSIVE locks on all tables, which stop every statement that does not only read.
It then keeps ROW EXCLUSIVE locks, like a transaction that has written. The second transaction holds an old snapshot and
no lock. Each is ended when the statement waits for it.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field

from psycopg2.extensions import connection as Session  # noqa: N812 - psycopg2 spells its class in lower case
from psycopg2.sql import SQL, Identifier

from review import catalog
from review.catalog import StoredRelation
from review.recording import Wait

type Connect = Callable[[], Session]

POLL_SECONDS = 0.002
BEHIND_WRITER = "transactions that use its table"
_BLOCKERS = "SELECT pg_blocking_pids(%s)"


@dataclass
class WaitObserver:
    """Watches the session `pid`, and ends the transactions that it waits for. `waits` is complete after `finish()`.

    `is_interrupting`: cancel the statement when it waits for transactions that use its table.
    """

    observer: Session
    writer: Session
    reader: Session
    pid: int
    relations: Mapping[int, StoredRelation]
    is_interrupting: bool = False
    waits: tuple[Wait, ...] = ()
    _done: threading.Event = field(default_factory=threading.Event)
    _future: Future[list[Wait]] | None = None

    def start(self, pool: ThreadPoolExecutor) -> None:
        """Open the transactions, and watch the session in another thread."""
        _hold_tables(self.writer, self.relations)
        catalog.query(self.reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1")
        self._future = pool.submit(lambda: list(self._release_in_turn()))

    def finish(self) -> None:
        """Stop watching. Raises the error of the thread."""
        self._done.set()
        if self._future is not None:
            self.waits = tuple(self._future.result())

    def _release_in_turn(self) -> Iterator[Wait]:
        """Yield each wait, and then end the transaction that the session waits for."""
        steps = [
            (self.writer, "ROLLBACK TO s1", "the lock"),
            (self.writer, "ROLLBACK", BEHIND_WRITER),
            (self.reader, "ROLLBACK", "all transactions that began before it"),
        ]
        try:
            while not self._done.wait(POLL_SECONDS):
                ((pids,),) = catalog.query(self.observer, _BLOCKERS, [self.pid])
                step = next((step for step in steps if step[0].info.backend_pid in pids), None)
                if step is not None:
                    steps.remove(step)
                    locks = catalog.read_locks(self.observer, self.pid)
                    yield Wait(step[2], catalog.named(locks, self.relations))
                    if self.is_interrupting and step[2] == BEHIND_WRITER:
                        catalog.query(self.observer, "SELECT pg_cancel_backend(%s)", [self.pid])
                        return
                    catalog.query(step[0], f"{step[1]}; SELECT 1")
        finally:
            for session in (self.writer, self.reader):  # the observed statement must never wait for them for ever
                catalog.query(session, "ROLLBACK; SELECT 1")


@contextmanager
def observe_waits(
    connect: Connect, pid: int, relations: Mapping[int, StoredRelation], *, is_interrupting: bool = False
) -> Iterator[WaitObserver]:
    """Let the statement of the session `pid` in the block wait behind open transactions, and record its waits.

    `relations` are those that existed before. `connect` opens a session of the superuser in autocommit mode.
    """
    with (
        closing(connect()) as observer,
        closing(connect()) as writer,
        closing(connect()) as reader,
        ThreadPoolExecutor(1) as pool,
    ):
        waits = WaitObserver(observer, writer, reader, pid, relations, is_interrupting)
        waits.start(pool)
        try:
            yield waits
        finally:
            waits.finish()


def _hold_tables(writer: Session, relations: Mapping[int, StoredRelation]) -> None:
    tables = [
        stored.relation for stored in relations.values() if stored.relation.kind in {"table", "partitioned table"}
    ]
    names = SQL(", ").join(Identifier(table.schema, table.name) for table in tables)
    catalog.query(writer, "BEGIN; SELECT pg_current_xact_id()::text")
    for number, mode in enumerate(("ROW EXCLUSIVE", "SHARE ROW EXCLUSIVE")):
        lock = SQL("LOCK TABLE {} IN {} MODE;").format(names, SQL(mode)) if tables else SQL("")
        catalog.query(writer, SQL("SAVEPOINT {}; {} SELECT 1").format(SQL(f"s{number}"), lock))
