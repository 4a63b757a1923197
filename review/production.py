"""The sizes of the tables in production, as `rds-alembic tables --json` writes them, and the estimate of durations.

The file has objects with `schema`, `table`, `bytes` and `writes_per_second`, in a list or in the list `tables`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from rich.filesize import decimal

from review.errors import ReviewError
from review.recording import Relation, Work

# RDS storage of gp3 has 500 MB/s from 400 GiB on: docs.aws.amazon.com/AmazonRDS/latest/UserGuide/CHAP_Storage.html.
# A rewrite reads the table, and writes the table and the log. The build of an index reads, and writes about half of it.
BYTES_PER_SECOND = {"reads": 500e6, "rewrites": 170e6, "builds": 250e6}


@dataclass(frozen=True)
class TableSize:
    """The bytes and the writes per second of a table."""

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
            document = json.loads(path.read_text(encoding="utf-8"))
            items = document["tables"] if isinstance(document, dict) else document
            return cls({
                (item["schema"], item["table"]): TableSize(item["bytes"], float(item.get("writes_per_second") or 0))
                for item in items
                if item["bytes"] is not None  # the size of a locked table is not known
            })  # fmt: skip
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as exc:
            raise ReviewError(
                f"TABLES must be a file that `rds-alembic tables --json` has written (got {path}: "
                f"{type(exc).__name__}: {exc})"
            ) from exc

    def size(self, relation: Relation) -> TableSize | None:
        """Return the size of a table, if the file has the table."""
        return self.tables.get((relation.schema, relation.name))

    def seconds(self, work: Work) -> float | None:
        """Return the estimated duration in seconds, if the file has the table."""
        size = self.size(work.table)
        return size.bytes / BYTES_PER_SECOND[work.kind] if size else None

    def describe(self, work: Work) -> str:
        """Return the work with the size of the table: `rewrites parcels: 412.0 GB, about 40 min`."""
        size, seconds = self.size(work.table), self.seconds(work)
        return (
            f"{work}: {decimal(size.bytes)}, about {_duration(seconds)}" if size and seconds is not None else str(work)
        )


def _duration(seconds: float) -> str:
    """Return a duration in the unit that gives at least one, and at most 90 seconds or minutes."""
    units = {"s": 90, "min": 5400, "h": float("inf")}
    unit = next(unit for unit, limit in units.items() if seconds < limit)
    return f"{max(1, round(seconds / {'s': 1, 'min': 60, 'h': 3600}[unit]))} {unit}"
