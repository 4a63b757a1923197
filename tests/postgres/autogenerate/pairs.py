"""The check of a pair of models: the database follows the generated revisions forth and back."""

import tempfile
import warnings
from pathlib import Path

import sqlalchemy as sa

from tests.postgres.autogenerate.harness import History, created, empty
from tests.postgres.autogenerate.schema_text import schema_text


def check_pair(connection: sa.Connection, first: sa.MetaData, second: sa.MetaData) -> None:
    """Create the first model by a revision, change it to the second and back, and compare with `create_all()`."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        empty(connection)
        before, after = expected(connection, first), expected(connection, second)
        history = History(Path(folder) / "project", connection, include_schemas=True)
        history.follow(first, before)
        if history.follow(second, after):
            history.go_back(first, before)
            history.go_forth(second, after)


def expected(connection: sa.Connection, metadata: sa.MetaData) -> list[str]:
    """Return the schema that `create_all()` gives."""
    with created(connection, metadata):
        return schema_text(connection)
