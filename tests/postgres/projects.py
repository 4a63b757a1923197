"""Alembic projects made for a test: a folder with alembic.ini, an env.py as `alembic init` writes it, and revisions."""

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from migrator.events import UpgradeRequest
from rds_alembic.revisions.alembic_project import MANIFEST
from rds_alembic.revisions.code_digest import code_digest

STACK_ID = "arn:aws:cloudformation:eu-central-1:000000000000:stack/PrivateDatabase/6f1f7e60"

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
    parents: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

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
        downs = (down,) if isinstance(down, str) else down or ()
        if label:
            self.labels[label] = revision
        depends_on = self.labels.get(depends_on or "", depends_on)
        self.parents[revision] = sorted({*downs, *([depends_on] if depends_on else [])})

    def request(
        self,
        *,
        old: tuple[str, ...] = (),
        request_id: str = "request",
        baseline: str = "",
        allow_ahead: Iterable[str] = (),
        started_at: float | None = None,
    ) -> UpgradeRequest:
        """Return what a template made from this project asks for, and write the manifest as the stack does."""
        self.write_manifest()
        digest = hashlib.sha256(" ".join(self.revisions).encode()).hexdigest()
        return UpgradeRequest(
            digest,
            tuple(self.revisions),
            old,
            stack_id=STACK_ID,
            request_id=request_id,
            baseline=baseline,
            allow_ahead=frozenset(allow_ahead),
            started_at=started_at,
        )

    def write_manifest(self) -> None:
        """Write the manifest, also of a project that the stack would reject."""
        entries = [
            {"revision": revision, "parents": self.parents.get(revision, ()), "digest": self._digest(revision)}
            for revision in self.revisions
        ]
        draft = self.folder / f"{MANIFEST}.{threading.get_ident()}"
        draft.write_text(json.dumps(entries))
        draft.replace(self.folder / MANIFEST)  # other threads may be reading the file

    def path(self, revision: str) -> Path:
        """Return the file of a revision."""
        return self.folder / "scripts" / "versions" / f"{revision}.py"

    def remove(self, *revisions: str) -> None:
        """Remove revisions, which may leave others without their parents."""
        for revision in revisions:
            self.path(revision).unlink()
            self.revisions.remove(revision)

    def _digest(self, revision: str) -> str:
        path = self.path(revision)
        return code_digest(path.read_text()) if path.exists() else ""
