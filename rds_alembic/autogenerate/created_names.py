"""The names of the objects that `create_all()` creates."""

from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

type Names = dict[str | None, set[str]]
"""Names by schema. The schema None is the default schema."""


def created_names(metadata: Iterable[sa.MetaData]) -> Names:
    """Return the names of the tables, of the types of their columns and of sequences."""
    names: defaultdict[str | None, set[str]] = defaultdict(set)
    for table in (table for part in metadata for table in part.tables.values()):
        names[table.schema].add(table.name)
        for column in table.columns:
            item = _element(column.type)
            if isinstance(item, sa.Enum | postgresql.DOMAIN) and item.name:
                names[item.schema].add(item.name)
            if isinstance(column.default, sa.Sequence):
                names[column.default.schema].add(column.default.name)
    return dict(names)


def _element(item: TypeEngine[object]) -> TypeEngine[object]:
    """Return the type within arrays and the types of the project."""
    if isinstance(item, sa.TypeDecorator):
        return _element(item.load_dialect_impl(postgresql.dialect()))  # type: ignore[no-untyped-call] # has no types
    return _element(item.item_type) if isinstance(item, sa.ARRAY) else item
