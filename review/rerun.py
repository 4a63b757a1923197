"""The second run of a revision after an interruption: on AWS, the next upgrade does it.

The statements outside a transaction stay when a revision fails, so that they must be able to run twice.
"""

from collections.abc import Iterator
from contextlib import closing, nullcontext

from alembic.script import Script
from psycopg2.sql import SQL, Identifier

from review import catalog
from review.database import Database
from review.lock_modes import LockMode
from review.record_revision import record_revision
from review.recording import Failure, Relation, RevisionRecording, Statement
from review.revision_scripts import RevisionScripts
from review.run import RevisionRunner


def rerun_failures(
    scripts: RevisionScripts, script: Script, recording: RevisionRecording, database: Database, before: Database
) -> Iterator[tuple[str, Failure]]:
    """Interrupt a revision at its statements outside a transaction, run it again, and yield the rules and failures.

    `database` has the state after the revision, and `before` the state before it, which is lost.
    """
    numbers = _interruptions(recording)
    for number in numbers:
        statement = recording.statements[number]
        copy = nullcontext(before) if number == numbers[-1] else before.copy("again")
        with copy as again, again.engine() as engine:
            record_revision(RevisionRunner(scripts, engine), script, again, interrupt_at=number)
            second = record_revision(RevisionRunner(scripts, engine), script, again)
            if second.failure is not None:
                yield "rerun-fails", second.failure
                continue
            for index in sorted(_invalid_indexes(again) - _invalid_indexes(database)):
                yield "rerun-invalid-index", Failure(statement.line, index)
            for insert in second.statements[: number + 1]:
                for table in _tables_with_new_rows(insert):
                    if _count(again, table) > _count(database, table):
                        yield "rerun-inserts", Failure(insert.line, f"{table} has more rows")


def _interruptions(recording: RevisionRecording) -> list[int]:
    """Return the numbers of the last statement outside a transaction, and of those that build an index."""
    outside = [
        number
        for number, statement in enumerate(recording.statements)
        if not statement.in_transaction and statement.tag not in {"SET", "RESET", "SHOW", "SELECT"}
    ]
    builds = [number for number in outside if recording.statements[number].tag == "CREATE INDEX"]
    return sorted({*outside[-1:], *builds})


def _invalid_indexes(database: Database) -> set[str]:
    with closing(database.connect_as_superuser()) as session:
        rows = catalog.query(session, "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid")
    return {name for (name,) in rows}


def _tables_with_new_rows(statement: Statement) -> list[Relation]:
    if statement.tag not in {"INSERT", "COPY", "DO"} or statement.rows == 0:
        return []
    return [lock.relation for lock in statement.locks if lock.mode is LockMode.ROW_EXCLUSIVE and lock.relation.is_table]


def _count(database: Database, table: Relation) -> int:
    name = Identifier(table.schema, table.name)
    with closing(database.connect_as_superuser()) as session:
        return int(catalog.query(session, SQL("SELECT count(*) FROM {}").format(name))[0][0])
