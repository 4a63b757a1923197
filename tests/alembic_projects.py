"""The Alembic projects that tests write: an alembic.ini, an env.py and a growing chain of revisions."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent, indent
from typing import Self

from alembic.config import Config
from alembic.script import ScriptDirectory

ROOT = Path(__file__).parents[1]

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

CONNECTION_ENV = """\
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

OFFLINE_ENV = """\
from alembic import context

context.configure(dialect_name="postgresql", literal_binds=True, transaction_per_migration=True)
with context.begin_transaction():
    context.run_migrations()
"""

REVISION = """\
import sqlalchemy as sa
from alembic import op

revision = {revision}
down_revision = {down_revision}
branch_labels = {branch_label}
depends_on = {depends_on}


{functions}
"""

NO_DOWNGRADE = 'def downgrade():\n    raise NotImplementedError("a deployment never downgrades")'


@dataclass
class AlembicProject:
    """The project in a folder. A new folder gets an env.py that runs on the caller's connection.

    `revisions` are the ids in the order of their addition. `parents` maps a revision to its `down_revision` and
    `depends_on`, sorted.
    """

    folder: Path
    scripts: str = "scripts"
    revisions: list[str] = field(default_factory=list)
    parents: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.versions.mkdir(parents=True, exist_ok=True)
        if not self.ini.exists():
            self.ini.write_text(INI)
            self.configure()

    @classmethod
    def copy_example(cls, folder: Path) -> Self:
        """Copy the example project of this repository: alembic.ini and migrations/."""
        shutil.copytree(ROOT / "migrations", folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "alembic.ini", folder)
        revisions = list(ScriptDirectory.from_config(Config(str(folder / "alembic.ini"))).walk_revisions())
        return cls(folder, "migrations", [script.revision for script in reversed(revisions)])

    @property
    def ini(self) -> Path:
        """The alembic.ini."""
        return self.folder / "alembic.ini"

    @property
    def versions(self) -> Path:
        """The folder of the revisions."""
        return self.folder / self.scripts / "versions"

    def path(self, revision: str) -> Path:
        """Return the file of a revision."""
        return self.versions / f"{revision}.py"

    def env(self, text: str) -> None:
        """Replace env.py."""
        (self.folder / self.scripts / "env.py").write_text(text)

    def configure(self, options: str = "", *, before: str = "") -> None:
        """Write an env.py with more options of context.configure(), as Python, and with lines before that call."""
        self.env(CONNECTION_ENV.format(before=before, options=options))

    def add(
        self,
        revision: str,
        *statements: str,
        body: str = "",
        down: str | tuple[str, ...] | None = None,
        depends_on: str | None = None,
        label: str | None = None,
    ) -> Path:
        """Add a revision whose upgrade() executes SQL statements, or is the Python in `body`; return its file.

        The revision follows the last one, or `down`. With `down=()` the revision is a base.
        """
        lines = body or "\n".join(f"op.execute({statement!r})" for statement in statements) or "pass"
        upgrade = f"def upgrade():\n{indent(lines, '    ')}"
        return self.write(revision, upgrade, down=down, depends_on=depends_on, label=label)

    def write(
        self,
        revision: str,
        functions: str,
        *,
        downgrade: str = NO_DOWNGRADE,
        down: str | tuple[str, ...] | None = None,
        depends_on: str | None = None,
        label: str | None = None,
    ) -> Path:
        """Add a revision with the text of its functions; `down` and the file are as in `add`.

        `downgrade` is the text of downgrade(), or empty if `functions` has it.
        """
        if down is None and self.revisions:
            down = self.revisions[-1]
        text = REVISION.format(
            revision=_literal(revision),
            down_revision=_literal(down or None),
            branch_label=_literal(label),
            depends_on=_literal(depends_on),
            functions="\n\n\n".join(filter(None, [dedent(functions).strip(), downgrade])),
        )
        self.path(revision).write_text(text)
        self.revisions.append(revision)
        if label:
            self.labels[label] = revision
        parents = [down] if isinstance(down, str) else [*(down or ())]
        if depends_on:
            parents.append(self.labels.get(depends_on, depends_on))
        self.parents[revision] = sorted(set(parents))
        return self.path(revision)

    def remove(self, *revisions: str) -> None:
        """Remove revisions. Others may be left without their parents."""
        for revision in revisions:
            self.path(revision).unlink()
            self.revisions.remove(revision)


def _literal(value: str | tuple[str, ...] | None) -> str:
    """Write a value with the quotes that ruff format writes."""
    literal = repr(value)
    return literal if '"' in literal else literal.replace("'", '"')
