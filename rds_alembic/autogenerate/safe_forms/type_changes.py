"""The type changes that do not rewrite the table.

PostgreSQL changes only the catalog if the old type is binary-coercible to the new type, or if the same type gets a
longer limit. https://www.postgresql.org/docs/17/sql-altertable.html#SQL-ALTERTABLE-NOTES
"""

import re
from dataclasses import dataclass

_TYPE = re.compile(r"([A-Z ]+?)\s*(?:\(([\d, ]+)\))?((?: WITH(?:OUT)? TIME ZONE)?(?: COLLATE .+)?)")
_STRINGS = {"TEXT", "VARCHAR", "CHARACTER VARYING"}
_LIMITED = {"BIT VARYING", "TIME", "TIMESTAMP"}
_DEFAULT_PRECISION = 6


@dataclass(frozen=True)
class _Type:
    name: str
    limits: tuple[int, ...]
    suffix: str

    @classmethod
    def parse(cls, sql: str) -> "_Type | None":
        match = _TYPE.fullmatch(sql)
        if match is None:
            return None
        limits = tuple(int(number) for number in (match[2] or "").split(",") if number.strip())
        return cls(match[1].removesuffix(" "), limits, match[3].replace(" WITHOUT TIME ZONE", ""))


def rewrites_table(old: str, new: str) -> bool:
    """Tell whether a change of a type rewrites the table. The types are SQL as SQLAlchemy writes it."""
    before, after = _Type.parse(old), _Type.parse(new)
    if before is None or after is None or before.suffix != after.suffix:
        return old != new
    if before.name == after.name == "NUMERIC":
        return not _has_room(before, after)
    if {before.name, after.name} <= _STRINGS or (before.name == after.name and before.name in _LIMITED):
        return not _is_longer(before, after)
    return (before.name, after.name) != ("CIDR", "INET") and before != after


def _is_longer(before: _Type, after: _Type) -> bool:
    default = _DEFAULT_PRECISION if before.name in {"TIME", "TIMESTAMP"} else None
    old, new = (*before.limits, default)[0], (*after.limits, default)[0]
    return new is None or (old is not None and old <= new)


def _has_room(before: _Type, after: _Type) -> bool:
    if not after.limits:
        return True
    if not before.limits:
        return False
    (old_precision, old_scale), (precision, scale) = (((*item.limits, 0)[:2]) for item in (before, after))
    return scale == old_scale and precision >= old_precision
