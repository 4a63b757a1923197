"""The output of a rehearsal: each revision with its seconds, as a table on a terminal and as plain lines elsewhere."""

import ast
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, Self

from rich.console import Console
from rich.table import Table

from rds_alembic.revisions.alembic_project import AlembicProject

# The keys that Powertools adds to each line.
_COMMON_KEYS = frozenset(
    {"level", "location", "message", "timestamp", "service", "cold_start", "xray_trace_id", "exception"}
    | {"exception_name", "stack_trace", "function_name", "function_memory_size", "function_arn", "function_request_id"}
)


class Entry(Protocol):
    """A line in the log of a function."""

    @property
    def line(self) -> str:
        """The line."""
        ...

    @property
    def values(self) -> Mapping[str, Any]:
        """The values of a line of JSON."""
        ...


class RehearsalReport:
    """Writes the revisions and the warnings of a rehearsal to the terminal. Its context shows the progress."""

    def __init__(self, *, verbose: bool = False, console: Console | None = None) -> None:
        self._verbose = verbose
        self._console = console or Console(soft_wrap=True, highlight=False)
        self._status = self._console.status("starting PostgreSQL and the functions")
        self._table = Table("revision", "seconds", "")
        self._table.columns[1].justify = "right"
        self._paths: Mapping[str, Path] = {}
        self._running = ""
        self._started = time.monotonic()

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._status.start()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self._status.stop()
        if kind and self._running:
            self._add(self._running, "failed")
        if self._console.is_terminal and self._table.row_count:
            self._console.print(self._table)

    def begin(self, project: AlembicProject, *, version: int, start: str) -> None:
        """Show that the revisions follow."""
        self._paths = {file.revision: file.path for file in project.revision_files}
        self._console.print(f"PostgreSQL {version}, from {start or 'base'} to {project.revisions[-1]}", markup=False)

    def log(self, entry: Entry) -> None:
        """Show a warning, or each line if the user requests the log."""
        if self._verbose:
            self._console.print(entry.line, markup=False)
        elif entry.values.get("level") == "WARNING":
            details = [f"{name}: {value}" for name, value in entry.values.items() if name not in _COMMON_KEYS]
            self._console.print("warning:", "; ".join([str(entry.values.get("message")), *details]), markup=False)

    def revision_or_log(self, entry: Entry) -> None:
        """Show the start or the end of a revision, or the line as `log` does."""
        message, revision = entry.values.get("message"), str(entry.values.get("revision", ""))
        if message == "revision started":
            self._running = revision
            self._status.update(f"revision {revision} {self._title(revision)}")
        elif message == "revision finished":
            self._add(revision, f"{entry.values['seconds']:.2f}")
            self._running = ""
        else:
            self.log(entry)

    def end(self, revision: str, applied: int, invocations: int) -> None:
        """Show the revision of the database, and the time."""
        number = f"{applied} revision{'s' * (applied != 1)}"
        several = f" in {invocations} invocations" if invocations > 1 else ""
        seconds = time.monotonic() - self._started
        self._console.print(f"the database is at {revision}: {number}{several}, {seconds:.1f} s in all", markup=False)

    def _add(self, revision: str, seconds: str) -> None:
        if self._console.is_terminal:
            self._table.add_row(revision, seconds, self._title(revision))
        else:
            unit = "" if seconds == "failed" else " s"
            self._console.print(f"{revision}  {seconds}{unit}  {self._title(revision)}".rstrip(), markup=False)

    def _title(self, revision: str) -> str:
        """Return the first line of the docstring of a revision."""
        if revision not in self._paths:
            return ""
        docstring = ast.get_docstring(ast.parse(self._paths[revision].read_bytes())) or ""
        return docstring.partition("\n")[0][:80]
