"""The log of a function: the entries of its logger, which are lines of JSON, and all other output."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class LogEntry:
    """One line of a function's log. `values` are those of a line of JSON."""

    line: str
    values: Mapping[str, Any] = field(default_factory=dict)

    @property
    def message(self) -> str:
        """Return the message of the function's logger, or an empty text."""
        return str(self.values.get("message", ""))

    @property
    def is_warning(self) -> bool:
        """Return whether the function's logger wrote a warning."""
        return self.values.get("level") == "WARNING"


class LogReader:
    """Divides the output of a function into lines. The last line may arrive in parts."""

    def __init__(self) -> None:
        self._rest = ""

    def entries(self, output: str) -> Iterator[LogEntry]:
        """Yield the lines that are complete with this output."""
        *lines, self._rest = (self._rest + output).split("\n")
        return (_read(line) for line in lines)


def _read(line: str) -> LogEntry:
    with suppress(ValueError):
        values = json.loads(line)
        if isinstance(values, dict):
            return LogEntry(line, values)
    return LogEntry(line)
