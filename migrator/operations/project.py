"""Run Alembic and the user's env.py for a command, in a child process that leaves nothing in this one.

Imports Alembic only when the child process runs: most commands need neither.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.database_errors import format_error, wrap_database_errors
from migrator.errors import EventError, MigratorError
from migrator.manifest import Manifest
from migrator.operations.reading import Reading
from migrator.supervisor import supervise
from rds_iam.deadline import Deadline

if TYPE_CHECKING:
    from migrator.environment import Environment
    from migrator.revision_scripts import RevisionScripts

READ_ONLY = {"dont_mutate": True}
"""The option of Alembic's environment that prevents the creation of the version table."""
_HAS_VERSION_TABLE = """
SELECT count(*) = 1 FROM pg_attribute WHERE attrelid = to_regclass('alembic_version') AND attname = 'version_num'
"""


def database_heads(reading: Reading) -> frozenset[str]:
    """Return the heads of the database, which are empty before the first upgrade. Raises MigratorError.

    The version table of Alembic's default name is read directly, if it has revisions of this project. Otherwise env.py
    is run, which may have given the version table another name or schema.
    """
    with wrap_database_errors("the revision cannot be read"), closing(reading.connect()) as session:
        heads = _default_heads(session)
    if heads and heads <= reading.manifest.files.keys():
        return heads
    return frozenset(in_environment(reading, lambda environment, _scripts: read_heads(environment)))


def _default_heads(session: Connection) -> frozenset[str]:
    with session.cursor() as cursor:
        cursor.execute(_HAS_VERSION_TABLE)
        if cursor.fetchall() != [(True,)]:
            return frozenset()
        try:
            cursor.execute("SELECT version_num FROM alembic_version")
        except psycopg2.errors.InsufficientPrivilege as exc:
            raise MigratorError(
                f"the reader must have SELECT on the version table ({format_error(exc)}): the next upgrade grants it, "
                "or run rds-alembic rerun"
            ) from exc
        return frozenset(revision for (revision,) in cursor.fetchall())


def read_heads(environment: Environment) -> tuple[str, ...]:
    """Read the heads through env.py, without creating the version table."""
    return environment.run("reading the revision of the database", lambda _heads, _context: [], **READ_ONLY)


class Context(Protocol):
    """The database and the project of a command."""

    @property
    def project(self) -> Path:
        """The folder with the project."""

    @property
    def manifest(self) -> Manifest:
        """The revisions of the project."""

    @property
    def deadline(self) -> Deadline:
        """The end of the time for the command."""

    def connect(self) -> Connection:
        """Log in."""


def in_environment[Result](context: Context, work: Callable[[Environment, RevisionScripts], Result]) -> Result:
    """Call `work` with the user's env.py and the revision files. The result is sent between processes."""

    def run(_on_started: object) -> Result:
        from migrator.environment import open_environment  # noqa: PLC0415 - see the module's docstring

        scripts = read_scripts(context.project, context.manifest)
        with open_environment(scripts, context.connect, context.deadline) as (environment, _engine):
            return work(environment, scripts)

    return supervise(run, context.deadline)


def with_scripts[Result](
    project: Path, manifest: Manifest, deadline: Deadline, work: Callable[[RevisionScripts], Result]
) -> Result:
    """Call `work` with the revision files, without a database. The result is sent between processes."""
    return supervise(lambda _on_started: work(read_scripts(project, manifest)), deadline)


def read_scripts(project: Path, manifest: Manifest) -> RevisionScripts:
    """Return the revision files. Relative paths in them start from the project, as on a developer's machine."""
    from migrator.revision_scripts import RevisionScripts  # noqa: PLC0415 - see the module's docstring

    os.chdir(project)
    return RevisionScripts(project, manifest)


@contextmanager
def wrap_revision_errors() -> Iterator[None]:
    """Raise EventError for a revision, or a range of revisions, that Alembic cannot resolve."""
    from alembic.script.revision import RevisionError  # noqa: PLC0415 - see the module's docstring
    from alembic.util import CommandError  # noqa: PLC0415 - likewise

    try:
        yield
    except (CommandError, RevisionError) as exc:
        raise EventError(f"{exc}: the deployed code has the revisions that rds-alembic history lists") from exc
