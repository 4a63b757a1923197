"""Revisions that autogenerate writes for a model, run by Alembic itself in a database of the tests."""

import warnings
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from difflib import unified_diff
from io import StringIO
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from tests.postgres.autogenerate.schema_text import schema_text

ENV = """
from alembic import context
from rds_alembic.autogenerate import OPTIONS

attributes = context.config.attributes
context.configure(
    connection=attributes["connection"], target_metadata=attributes["metadata"], transaction_per_migration=True,
    **OPTIONS, **attributes["options"],
)
with context.begin_transaction():
    context.run_migrations()
"""
TEMPLATE = '''"""${message}"""
import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade():
    ${upgrades if upgrades else "pass"}


def downgrade():
    ${downgrades if downgrades else "pass"}
'''
type Models = sa.MetaData | list[sa.MetaData]

HEADERS = {"---", "+++", "@@ "}
SCHEMAS = ("public", "audit", "Other schema")


class History:
    """An Alembic project whose revisions are generated, without the division into safe forms."""

    def __init__(self, folder: Path, connection: sa.Connection, **options: Any) -> None:
        (folder / "versions").mkdir(parents=True)
        (folder / "env.py").write_text(ENV)
        (folder / "script.py.mako").write_text(TEMPLATE)
        self.folder = folder
        self.connection = connection
        self.options = options

    def config(self, metadata: Models) -> Config:
        """Return the configuration of Alembic for a model."""
        config = Config(cmd_opts=Namespace(x=["plain"]))
        config.set_main_option("script_location", str(self.folder).replace("%", "%%"))
        config.attributes.update(connection=self.connection, metadata=metadata, options=self.options)
        return config

    def follow(self, metadata: Models, schema: list[str]) -> bool:
        """Generate a revision and apply it. It must give this schema. Return False if there was nothing to write."""
        if self.generate(metadata) is None:
            self.assert_schema(schema, "without a revision")
            return False
        self.go_forth(metadata, schema)
        self.check(metadata)
        return True

    def go_forth(self, metadata: Models, schema: list[str]) -> None:
        """Apply the last revision. It must give this schema."""
        self.upgrade(metadata)
        self.assert_schema(schema, "after the upgrade")

    def go_back(self, metadata: Models, schema: list[str]) -> None:
        """Undo the last revision. The database must have this schema, and no difference from the model."""
        self.run(command.downgrade, metadata, "-1")
        self.assert_schema(schema, "after the downgrade")
        last = self.revisions()[-1]
        hidden = last.rename(last.with_suffix(".hidden"))
        self.check(metadata)
        hidden.rename(last)

    def assert_schema(self, schema: list[str], moment: str) -> None:
        """Fail with the different lines and the revisions."""
        difference = [
            line for line in unified_diff(schema, schema_text(self.connection), n=0) if line[:3] not in HEADERS
        ]
        self.connection.rollback()
        assert not difference, "\n".join([moment, *difference, *(path.read_text() for path in self.revisions())])

    def generate(self, metadata: Models) -> str | None:
        """Generate a revision and return its text, or None if there is no difference."""
        count = len(self.revisions())
        self.run(command.revision, metadata, message="test", autogenerate=True, rev_id=f"r{count + 1}")
        revisions = self.revisions()
        return revisions[-1].read_text() if len(revisions) > count else None

    def revisions(self) -> list[Path]:
        """Return the files of the revisions."""
        return sorted(self.folder.glob("versions/*.py"))

    def upgrade(self, metadata: Models) -> None:
        """Apply all revisions."""
        self.run(command.upgrade, metadata, "head")

    def check(self, metadata: Models) -> str:
        """Fail if the database differs from the model. Return the output."""
        return self.run(command.check, metadata)

    def run(self, function: Callable[..., Any], metadata: Models, *arguments: Any, **options: Any) -> str:
        """Run a command of Alembic and return its output."""
        output = StringIO()
        config = self.config(metadata)
        config.stdout = output
        with redirect_stdout(output):
            function(config, *arguments, **options)
        self.connection.commit()
        return output.getvalue()


def empty(connection: sa.Connection) -> None:
    """Drop all objects of the database that a model can have."""
    connection.rollback()
    for schema in SCHEMAS:
        connection.execute(sa.text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
    connection.execute(sa.text("CREATE SCHEMA public"))
    connection.commit()


@contextmanager
def created(connection: sa.Connection, metadata: sa.MetaData) -> Iterator[None]:
    """Create a model with `create_all()` in the otherwise empty database, and roll back at the end."""
    connection.rollback()
    for schema in SCHEMAS:
        connection.execute(sa.text(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE'))
        connection.execute(sa.text(f'CREATE SCHEMA "{schema}"'))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        metadata.create_all(connection, checkfirst=False)
    try:
        yield
    finally:
        connection.rollback()
