"""The SQL of each revision, rendered offline through the project's own env.py, and where in its file it comes from."""

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
from review.history import History
from review.source import Source

TRANSACTION_CONTROL = {"BEGIN": True, "COMMIT": False, "ROLLBACK": False}
"""Whether a transaction is open after the statement."""


@dataclass(frozen=True)
class Statement:
    """The SQL of one call in a revision, several statements perhaps; lines count from 1, the last is included."""

    sql: str
    line: int
    end_line: int
    in_transaction: bool


@dataclass(frozen=True)
class Failure:
    """Why rendering a revision stopped, and at which line."""

    line: int
    message: str


@dataclass
class Rendered:
    """A revision and its SQL, without what Alembic adds for its version table. `failure`: the SQL ends there."""

    revision: str
    path: Path
    title: str
    statements: list[Statement] = field(default_factory=list)
    failure: Failure | None = None


def render(history: History) -> list[Rendered]:
    """Render all revisions, in the order of an upgrade; one that fails to render does not keep others from it.

    An env.py that works only with a connection, as the migrator hands it one, or writes SQL for another database unless
    told otherwise, is left out: that is said on standard error.
    """
    output = _Output()
    environment = EnvironmentContext(
        Config(str(history.ini), output_buffer=output),
        history.directory,
        fn=partial(_steps, history, output),
        as_sql=True,
        destination_rev="heads",
    )
    with _silence(), environment:
        obstacle = _run_env(history, output)
        if obstacle is not None:
            sys.stderr.write(f"review: env.py is left out, since it writes no SQL offline: {obstacle}\n")
            _run_without_env(environment)
    return output.revisions


def _steps(history: History, output: "_Output", _heads: tuple[str, ...], context: MigrationContext) -> Iterator[Any]:
    if context.dialect.name != "postgresql":
        raise ReviewError(f"its dialect is {context.dialect.name}, not postgresql")
    if output.revisions:
        return  # once is enough for an env.py that does it for each of several databases
    for step in history.steps(()):
        script = step.revision
        step.migration_fn = output.recording(step.migration_fn, script.revision, Path(script.path), script.doc)
        yield step


def _run_env(history: History, output: "_Output") -> str | None:
    """Run env.py, and return why it did not render the revisions if so."""
    try:
        history.directory.run_env()
    except Exception as exc:  # noqa: BLE001 - env.py is somebody's code
        if not output.revisions:
            reason = str(exc) if isinstance(exc, ReviewError) else f"{type(exc).__name__}: {exc}"
            return " ".join(reason.split())
    return None if output.revisions or not history.scripts else "it runs no revisions"


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
    """What Alembic writes to: keeps the statements that come from a revision's own lines."""

    def __init__(self) -> None:
        self.revisions: list[Rendered] = []
        self._source: Source | None = None
        self._in_transaction = False
        self._begun_by_alembic = False

    def write(self, text: str, /) -> int:
        sql = text.strip()
        frame = sys._getframe(1)  # noqa: SLF001 - no other way
        alembics = _is_alembics(frame)
        if self._source is not None and not alembics and (line := self._line_of(frame)) is not None:
            start, end = self._source.statement_at(line)
            self.revisions[-1].statements.append(Statement(sql, start, end, self._in_transaction))
        self._in_transaction = TRANSACTION_CONTROL.get(sql.rstrip(";").upper(), self._in_transaction)
        if alembics:
            self._begun_by_alembic = self._in_transaction
        return len(text)

    def recording(self, run: Callable[..., None], revision: str, path: Path, title: str) -> Callable[..., None]:
        """Wrap a revision's upgrade()."""

        def record(**arguments: object) -> None:
            self.revisions.append(Rendered(revision, path, title))
            self._source = Source(path, revision)
            self._in_transaction = self._begun_by_alembic  # whatever the revision before did: each is run by itself
            try:
                run(**arguments)
            except Exception as exc:  # noqa: BLE001 - a revision is somebody's code, and this is about how it fails
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


def _is_alembics(frame: FrameType) -> bool:
    """Tell whether Alembic begins or ends a transaction: a COMMIT in a revision's own SQL belongs to the revision."""
    return frame.f_back is not None and frame.f_back.f_code.co_name in {"emit_begin", "emit_commit"}


@contextmanager
def _silence() -> Iterator[None]:
    """Keep Alembic from announcing each revision."""
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
