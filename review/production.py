"""The sizes of the tables in production, as `rds-alembic tables --json` writes them, and the estimate of durations.

The file is a list of objects with `schema`, `table`, `rows`, `bytes` and `writes_per_second`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from review.errors import ReviewError
from review.recording import Relation, Work

# RDS storage of gp3 has 500 MB/s from 400 GiB on: docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html.
# A rewrite reads the table, and writes the table and the log. The build of an index reads, and writes about half of it.
BYTES_PER_SECOND = {"reads": 500e6, "rewrites": 170e6, "builds": 250e6}
_UNITS = (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3))


@dataclass(frozen=True)
class TableSize:
    """The rows, the bytes and the writes per second of a table."""

    rows: int
    bytes: int
    writes_per_second: float


@dataclass(frozen=True)
class Production:
    """The tables of production by schema and name. Without a file, no table is known."""

    tables: Mapping[tuple[str, str], TableSize] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Read a file. Raises ReviewError if it does not have the form of `rds-alembic tables --json`."""
        if path is None:
            return cls()
        try:
            items = [dict(item) for item in json.loads(path.read_text(encoding="utf-8") or "null")]
            tables = {
                (item["schema"], item["table"]): TableSize(
                    int(item["rows"] or 0), int(item["bytes"] or 0), float(item.get("writes_per_second") or 0)
                )
                for item in items
            }
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            raise ReviewError(
                f"TABLES must be a file that `rds-alembic tables --json` has written (got {path}: "
                f"{type(exc).__name__}: {exc})"
            ) from exc
        return cls(tables)

    def size(self, relation: Relation) -> TableSize | None:
        """Return the size of a table, if the file has the table."""
        return self.tables.get((relation.schema, relation.name))

    def seconds(self, work: Work) -> float | None:
        """Return the estimated duration in seconds, if the file has the table."""
        size = self.size(work.table)
        return size.bytes / BYTES_PER_SECOND[work.kind] if size else None

    def describe(self, work: Work) -> str:
        """Return the work with the size of the table: `rewrites parcels: 412 GB, about 40 min`."""
        size, seconds = self.size(work.table), self.seconds(work)
        if size is None or seconds is None:
            return str(work)
        return f"{work}: {format_bytes(size.bytes)}, about {format_seconds(seconds)}"


def format_bytes(number: int) -> str:
    """Return a number of bytes in the largest unit."""
    for unit, factor in _UNITS:
        if number >= factor:
            value = number / factor
            return f"{value:.0f} {unit}" if value >= 10 else f"{value:.1f} {unit}"  # noqa: PLR2004 - two digits
    return f"{number} bytes"


def format_seconds(seconds: float) -> str:
    """Return a duration in seconds, minutes or hours."""
    if seconds < 1:
        return "1 s or less"
    if seconds < 90:  # noqa: PLR2004
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"  # noqa: PLR2004
