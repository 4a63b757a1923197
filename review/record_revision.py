"""The recording of one revision, which an env.py runs on an ephemeral database."""

import time
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb

import psycopg2
import sqlalchemy as sa
from alembic.script import Script
from psycopg2.extensions import connection as Session  # noqa: N812 - psycopg2 spells its class in lower case

from review import files_read
from review.database import Database
from review.errors import Interruption, ReviewError
from review.recorder import Recorder
from review.recording import Failure, RevisionRecording
from review.run import RevisionRunner
from review.source import Source


def record_revision(
    runner: RevisionRunner, script: Script, database: Database, *, interrupt_at: int | None = None
) -> RevisionRecording:
    """Run a revision and return its recording. Raises ReviewError if env.py does not run the revision."""
    recording = RevisionRecording(script.revision, Path(script.path), script.doc)
    recorder = Recorder(recording, database.connect_as_superuser, interrupt_at=interrupt_at)

    def around(session: Session, upgrade: Callable[[], None]) -> None:
        with recorder.recording_of(session), files_read.observe(recording.path):
            upgrade()

    database.forget_sizes()
    began = time.monotonic()
    try:
        runner.run(script, around)
    except ReviewError:
        raise
    except Interruption:
        pass
    except Exception as exc:  # noqa: BLE001 - the revision is the user's code
        recording.failure = _failure(exc, Source(recording.path, recording.revision))
    recording.seconds = time.monotonic() - began
    return recording


def _failure(exc: BaseException, source: Source) -> Failure:
    """Return the line of the revision and the message: PostgreSQL's own, or the type and the text of the exception."""
    lines = [frame.lineno for frame in extract_tb(exc.__traceback__) if frame.filename == str(source.path)]
    start, _ = source.statement_at(lines[-1] or 1) if lines else (1, 1)
    original = exc.orig if isinstance(exc, sa.exc.StatementError) and exc.orig else exc
    if isinstance(original, psycopg2.Error):
        text = original.diag.message_primary or str(original)
        detail = " ".join(filter(None, [original.diag.message_detail, original.diag.message_hint]))
        return Failure(start, f"{text}{f' ({detail})' if detail else ''}", original.pgcode)
    return Failure(start, f"{type(original).__name__}: {original}")
