"""The observation of the change for which a statement reads or writes a whole table, so that the advice fits."""

from collections.abc import Iterable

from psycopg2.extensions import connection as Session  # noqa: N812 - psycopg2 spells its class in lower case

from review import catalog
from review.recording import Work

QUERIES = {"SELECT", "INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "DO", "CALL", "SET", "SHOW"}
# By the columns attidentity and attgenerated: https://www.postgresql.org/docs/17/catalog-pg-attribute.html
_COLUMNS = {"s": "generated", "a": "identity", "d": "identity"}
# By contype: https://www.postgresql.org/docs/17/catalog-pg-constraint.html
_CONSTRAINTS = {"f": "foreign-key", "c": "check", "u": "unique", "p": "unique", "x": "exclude"}
_STRONGEST_FIRST = (
    *("partition", "generated", "identity", "foreign-key", "check", "unique", "exclude"),
    *("default", "type", "not-null", "validate"),
)


def cause_of(session: Session, tag: str, before: catalog.State, tables: Iterable[int], work: tuple[Work, ...]) -> str:
    """Return the cause, for example `type`, of a statement that changed some of the tables."""
    if tag != "ALTER TABLE":
        return "query" if tag in QUERIES else ""
    changes = catalog.changes(session, tables)
    new, before.changes = changes - before.changes, changes
    of_column = "type" if any(item.kind == "rewrites" for item in work) else "not-null"
    causes = {_cause(change, before) or of_column for change in new}
    return next((cause for cause in _STRONGEST_FIRST if cause in causes), "")


def _cause(change: catalog.Change, before: catalog.State) -> str:
    """Return the cause, or an empty text for a change of a column that existed."""
    if change.catalog == "partition":
        return "partition"
    if change.catalog == "constraint":
        return _CONSTRAINTS.get(change.kind, "check") if change.number > before.last_oid else "validate"
    table = before.relations.get(change.table)
    is_new = table is None or change.number > table.columns
    return _COLUMNS.get(change.kind, "default") if is_new else ""
