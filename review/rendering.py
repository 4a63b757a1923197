"""The SQL of revisions, rendered offline by the project's env.py, with the lines of the revision that execute it."""

import io
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext

from review.errors import ReviewError
from review.revision_scripts import RevisionScripts
from review.source import Source

TRANSACTION_CONTROL = {"BEGIN": True, "COMMIT": False, "ROLLBACK": False}
"""True if a transaction is open after the statement."""


@dataclass(frozen=True)
class Call:
    """The SQL of one call in a revision: one or more statements. Lines count from 1, and `end_line` is included."""

    sql: str
    line: int
    end_line: int
    in_transaction: bool


@dataclass(frozen=True)
class Failure:
    """The exception that ended the rendering of a revision, and its line."""

    line: int
    message: str


@dataclass
class RenderedRevision:
    """The SQL of a revision, without the statements for the version table. It ends at `failure`."""

    revision: str
    path: Path
    title: str
    calls: list[Call] = field(default_factory=list)
    failure: Failure | None = None


def render(scripts: RevisionScripts) -> list[RenderedRevision]:
    """Render all revisions in the order of an upgrade. If one fails, the others are rendered nevertheless.

    An env.py that needs a connection, or that writes SQL for another database, is not used. A message on standard error
    says so.
    """
    output = _Output()
    environment = EnvironmentContext(
        Config(str(scripts.ini), output_buffer=output),
        scripts.directory,
        fn=partial(_steps, scripts, output),
        as_sql=True,
        destination_rev="heads",
    )
    with _silence(), environment:
        reason = _run_env(scripts, output)
        if reason is not None:
            sys.stderr.write(f"env.py is not used, because it cannot write SQL offline: {reason}\n")
            _run_without_env(environment)
    return output.revisions


def _steps(
    scripts: RevisionScripts, output: "_Output", _heads: tuple[str, ...], context: MigrationContext
) -> Iterator[Any]:
    if context.dialect.name != "postgresql":
        raise ReviewError(f"the dialect must be postgresql (got {context.dialect.name})")
    if output.revisions:
        return  # env.py runs the revisions once for each of several databases
    for script, step in zip(scripts.revisions, scripts.upgrade_steps(), strict=True):
        step.migration_fn = output.recording(step.migration_fn, script.revision, Path(script.path), script.doc)
        yield step


def _run_env(scripts: RevisionScripts, output: "_Output") -> str | None:
    """Run env.py. Return the reason if it did not render the revisions."""
    try:
        scripts.directory.run_env()
    except Exception as exc:  # noqa: BLE001 - env.py is the user's code
        if not output.revisions:
            reason = str(exc) if isinstance(exc, ReviewError) else f"{type(exc).__name__}: {exc}"
            return " ".join(reason.split())
    return None if output.revisions or not scripts.revisions else "it runs no revisions"


def _run_without_env(environment: EnvironmentContext) -> None:
    environment.configure(
        dialect_name="postgresql",
        dialect_opts={"paramstyle": "named"},
        literal_binds=True,
        transaction_per_migration=True,
    )
    with environment.begin_transaction():
        environment.run_migrations()


class _Output(io.StringIO):
    """The output of Alembic. It keeps the statements that a line of a revision executes."""

    def __init__(self) -> None:
        self.revisions: list[RenderedRevision] = []
        self._source: Source | None = None
        self._in_transaction = False
        self._begun_by_alembic = False

    def write(self, text: str, /) -> int:
        sql = text.strip()
        frame = sys._getframe(1)  # noqa: SLF001 - the only way to find the line
        by_alembic = _is_sent_by_alembic(frame)
        if self._source is not None and not by_alembic and (line := self._line_of(frame)) is not None:
            start, end = self._source.statement_at(line)
            self.revisions[-1].calls.append(Call(sql, start, end, self._in_transaction))
        self._in_transaction = TRANSACTION_CONTROL.get(sql.rstrip(";").upper(), self._in_transaction)
        if by_alembic:
            self._begun_by_alembic = self._in_transaction
        return len(text)

    def recording(self, run: Callable[..., None], revision: str, path: Path, title: str) -> Callable[..., None]:
        """Wrap upgrade() of a revision, so that its SQL is kept."""

        def record(**arguments: object) -> None:
            self.revisions.append(RenderedRevision(revision, path, title))
            self._source = Source(path, revision)
            self._in_transaction = self._begun_by_alembic  # each revision starts in its own transaction
            try:
                run(**arguments)
            except Exception as exc:  # noqa: BLE001 - the revision is the user's code
                self.revisions[-1].failure = self._failure(exc)

        return record

    def _line_of(self, frame: FrameType | None) -> int | None:
        path = str(self.revisions[-1].path)
        while frame is not None:
            if frame.f_code.co_filename == path:
                return frame.f_lineno
            frame = frame.f_back
        return None

    def _failure(self, exc: Exception) -> Failure:
        line, trace = 1, exc.__traceback__
        while trace is not None:
            if trace.tb_frame.f_code.co_filename == str(self.revisions[-1].path):
                line = trace.tb_lineno
            trace = trace.tb_next
        return Failure(line, f"{type(exc).__name__}: {exc}")


def _is_sent_by_alembic(frame: FrameType) -> bool:
    """Tell whether Alembic sends BEGIN or COMMIT. A COMMIT in the SQL of a revision belongs to the revision."""
    return frame.f_back is not None and frame.f_back.f_code.co_name in {"emit_begin", "emit_commit"}


@contextmanager
def _silence() -> Iterator[None]:
    """Suppress the log line that Alembic writes for each revision."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
