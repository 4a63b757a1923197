"""The plan: operations by phase, and the columns that other objects must make way for."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum, auto

from alembic.operations import ops

from rds_alembic.autogenerate.catalog import Catalog, Name, Table
from rds_alembic.autogenerate.changes.conversions import Conversions


class Phase(IntEnum):
    """The order of the operations. An object is dropped before the objects that it depends on change."""

    ENUM_VALUES = auto()
    CREATE_SCHEMAS = auto()
    DROP_FOREIGN_KEYS = auto()
    DROP_TABLES = auto()
    DROP_INDEXES = auto()
    DROP_CONSTRAINTS = auto()
    CREATE_TYPES = auto()
    CREATE_SEQUENCES = auto()
    CREATE_TABLES = auto()
    DROP_GENERATED_COLUMNS = auto()
    DROP_COLUMNS = auto()
    ADD_COLUMNS = auto()
    ALTER_COLUMNS = auto()
    ADD_GENERATED_COLUMNS = auto()
    CREATE_KEYS = auto()
    CREATE_INDEXES = auto()
    CREATE_CHECKS = auto()
    CREATE_FOREIGN_KEYS = auto()
    COMMENTS = auto()
    DROP_SEQUENCES = auto()
    DROP_TYPES = auto()
    DROP_SCHEMAS = auto()


@dataclass
class Plan:
    """Collects the operations that turn the catalog `old` into `new`.

    `replaced` has the columns that are dropped and added again, `retyped` those that get another type. `notes` has the
    differences that no operation removes.
    """

    old: Catalog
    new: Catalog
    conversions: Conversions
    replaced: set[tuple[Name, str]] = field(default_factory=set)
    retyped: set[tuple[Name, str]] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)
    _phases: defaultdict[Phase, list[ops.MigrateOperation]] = field(default_factory=lambda: defaultdict(list))

    def add(self, phase: Phase, *operations: ops.MigrateOperation) -> None:
        """Add operations at the end of a phase."""
        self._phases[phase] += operations

    @property
    def operations(self) -> list[ops.MigrateOperation]:
        """Return the operations in the order in which they must run."""
        return [operation for phase in sorted(self._phases) for operation in self._phases[phase]]

    def kept_tables(self) -> Iterator[tuple[Table, Table]]:
        """Yield each table that is in both catalogs, as it was and as it will be."""
        for name, table in self.new.tables.items():
            if name in self.old.tables:
                yield self.old.tables[name], table
