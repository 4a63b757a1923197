"""The name of the database in which an upgrade compares its baseline."""

_MAX_NAME_BYTES = 63  # PostgreSQL truncates longer names
_SUFFIX = "_baseline"


def baseline_database(database_name: str) -> str:
    """Return the name of the database that the role setup creates beside another one."""
    return database_name.encode()[: _MAX_NAME_BYTES - len(_SUFFIX)].decode(errors="ignore") + _SUFFIX
