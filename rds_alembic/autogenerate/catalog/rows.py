"""Values of the rows that the queries return."""

from typing import Any

from rds_alembic.autogenerate.catalog import SequenceOptions

_ACTIONS = {"r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}


def sequence_options(row: Any) -> SequenceOptions:
    """Return the options of the sequence in a row."""
    return SequenceOptions(
        row.seq_type, row.seqstart, row.seqincrement, row.seqmin, row.seqmax, row.seqcache, row.seqcycle
    )


def constraint_actions(row: Any) -> dict[str, Any]:
    """Return the arguments of a constraint that Alembic has, as far as they differ from the defaults."""
    actions: dict[str, Any] = {}
    if row.contype == "f":
        columns = f" ({', '.join(row.set_columns)})" if row.set_columns else ""
        actions["onupdate"] = _ACTIONS.get(row.confupdtype)
        actions["ondelete"] = row.confdeltype in _ACTIONS and _ACTIONS[row.confdeltype] + columns
        actions["match"] = "FULL" if row.confmatchtype == "f" else None
    actions["deferrable"] = row.condeferrable or None
    actions["initially"] = "DEFERRED" if row.condeferred else None
    return {name: value for name, value in actions.items() if value}
