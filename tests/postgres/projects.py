"""Alembic projects made for a test: a folder with alembic.ini, an env.py as `alembic init` writes it, and revisions."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from migrator.events import UpgradeRequest

INI = """\
[alembic]
script_location = %(here)s/scripts
path_separator = os

[loggers]
keys = root
[handlers]
keys =
[formatters]
keys =
[logger_root]
level = WARNING
handlers =
"""

ENV = """\
from logging.config import fileConfig

from alembic import context

if context.config.config_file_name is not None:
    fileConfig(context.config.config_file_name)
connection = context.config.attributes["connection"]
{before}
context.configure(connection=connection, {options})
with context.begin_transaction():
    context.run_migrations()
"""

REVISION = """\
import sqlalchemy as sa
from alembic import op

revision = {revision!r}
down_revision = {down!r}
branch_labels = {label!r}
depends_on = {depends_on!r}


def upgrade():
{body}


def downgrade():
    raise NotImplementedError("a deployment never downgrades")
"""


@dataclass
class Project:
    """A history that grows."""

    folder: Path
    revisions: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "scripts" / "versions").mkdir(parents=True, exist_ok=True)
        (self.folder / "alembic.ini").write_text(INI)
        self.configure()

    def configure(self, options: str = "", *, before: str = "") -> None:
        """Give env.py's context.configure() more options, as Python, and lines to run before it."""
        self.env(ENV.format(before=before, options=options))

    def env(self, text: str) -> None:
        """Replace env.py."""
        (self.folder / "scripts" / "env.py").write_text(text)

    def add(
        self,
        revision: str,
        *statements: str,
        down: str | tuple[str, ...] | None = None,
        body: str | None = None,
        depends_on: str | None = None,
        label: str | None = None,
    ) -> None:
        """Add a revision, by default on top of the last one, or with `down=()` on none.

        Its body is SQL statements, or Python.
        """
        if down is None and self.revisions:
            down = self.revisions[-1]
        text = body or "\n".join(f"op.execute({statement!r})" for statement in statements) or "pass"
        text = "\n".join(f"    {line}" for line in text.splitlines())
        path = self.folder / "scripts" / "versions" / f"{revision}.py"
        path.write_text(
            REVISION.format(revision=revision, down=down or None, depends_on=depends_on, label=label, body=text)
        )
        self.revisions.append(revision)

    def request(self, *, old: tuple[str, ...] = (), request_id: str = "request") -> UpgradeRequest:
        """Return what a template made from this project asks for."""
        digest = hashlib.sha256(" ".join(self.revisions).encode()).hexdigest()
        return UpgradeRequest(digest, tuple(self.revisions), old, stack_id="stack", request_id=request_id)
