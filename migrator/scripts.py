"""Alembic's side of the upgrade: which revisions are missing, and running one."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg2.extensions import connection as DbapiConnection  # noqa: N812 - psycopg2 spells its class in lower case

from migrator.errors import UpgradeError
from migrator.events import UpgradeRequest
from rds_iam.deadline import Deadline

_NO_SQLSTATE = "no SQLSTATE"


class Scripts:
    """The revisions in the zip, and the connection they run on."""

    def __init__(self, config: Config, connection: sa.Connection) -> None:
        self._config = config
        self._connection = connection
        self._directory = ScriptDirectory.from_config(config)

    @classmethod
    @contextmanager
    def opened(cls, project: Path, connect: Callable[[], DbapiConnection]) -> Iterator["Scripts"]:
        """Load the scripts and connect; env.py finds the connection in `config.attributes`."""
        engine = sa.create_engine("postgresql+psycopg2://", creator=connect, poolclass=sa.NullPool)
        with engine.connect() as connection:
            config = _config(project)
            config.attributes["connection"] = connection
            yield cls(config, connection)

    def check_same_as(self, request: UpgradeRequest) -> None:
        """Raise UpgradeError if the zip holds another history than the template was made from."""
        bundled = {script.revision for script in self._directory.walk_revisions()}
        if bundled != set(request.revisions):
            differing = ", ".join(sorted(bundled.symmetric_difference(request.revisions))[:5])
            raise UpgradeError(
                f"the function's zip and the deployment have different revisions, among them {differing}"
            )

    def missing(self, heads: frozenset[str], head: str) -> list[str]:
        """Return the revisions that lead from the database's heads to `head`, in the order they must run."""
        # What alembic's own `upgrade` iterates over; across branches it follows dependencies too.
        scripts = self._directory.iterate_revisions(head, tuple(heads), implicit_base=True)
        return [script.revision for script in reversed(list(scripts))]

    def apply(self, revision: str, deadline: Deadline) -> None:
        """Run one revision; raises UpgradeError with the revision, the SQLSTATE and the server's words."""
        try:
            self._limit_statements(deadline)
            command.upgrade(self._config, revision)
        except sa.exc.DBAPIError as exc:
            raise UpgradeError(f"revision {revision} failed: {_server_words(exc)}") from exc
        except Exception as exc:
            raise UpgradeError(f"revision {revision} failed: {type(exc).__name__}: {exc}") from exc

    def _limit_statements(self, deadline: Deadline) -> None:
        """Let the server cancel what would outlive the function: a killed client's statement runs on."""
        milliseconds = max(1, int(deadline.seconds_left * 1000))
        self._connection.exec_driver_sql(f"SET statement_timeout = {milliseconds}")
        self._connection.commit()


def _config(project: Path) -> Config:
    config = Config(str(project / "alembic.ini"))
    config.get_main_option("script_location")  # reads the file, while its name is known
    # Without a name, the usual env.py leaves logging alone: fileConfig() would silence the function's loggers.
    config.config_file_name = None
    return config


def _server_words(exc: sa.exc.DBAPIError) -> str:
    diagnostics = getattr(exc.orig, "diag", None)
    sqlstate = getattr(exc.orig, "pgcode", None) or _NO_SQLSTATE
    words = getattr(diagnostics, "message_primary", None) or str(exc.orig)
    return f"{sqlstate}: {words}"
