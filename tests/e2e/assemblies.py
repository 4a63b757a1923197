"""What the tests deploy: the app as it is, synthesized by the real CLI, and variants of it."""

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from localaws.cdk import local_context, synth, synth_environment
from localaws.certificates import Certificates
from localaws.run import CHECKOUT, STATE

FIRST = "first"
FIRST_REVISION = "e351aa908b6f"
REVISION = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{down_revision}"
branch_labels = None
depends_on = None


def upgrade() -> None:
{body}


def downgrade() -> None:
    raise NotImplementedError("a test's revision stays")
"""
ADD_COLUMN = '    op.add_column("queries", sa.Column("{column}", sa.Text()))\n'
BROKEN = ADD_COLUMN.format(column="must_not_stay") + '    op.execute("CREATE TABLE queries (id integer)")\n'


class Assemblies:
    """The synthesized assemblies, by name; asking for one waits until it is there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The schedule of the first one writes a row every minute.
        self._context = {**local_context(Certificates(STATE / "ca").ca_path), "querier-schedule": "rate(1 minute)"}
        self._pool = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        self._first: Future[Path] = self._pool.submit(synth, self._folder / FIRST, context=self._context)
        self._variants: Future[None] = self._pool.submit(self._synthesize_variants)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __getitem__(self, name: str) -> Path:
        if name == FIRST:
            return self._first.result()
        self._variants.result()
        return self._folder / name

    def _synthesize_variants(self) -> None:
        second = {"second": ADD_COLUMN.format(column="note")}
        third = {**second, "third": ADD_COLUMN.format(column="other")}
        stranger = {"rds-ca": str(Certificates(self._folder / "stranger").ca_path)}
        variants = {
            "second": self._variant(second),
            "broken": self._variant({**second, "broken": BROKEN}),
            "without grant": self._variant(third, forget_grant=True),
            "wrong ca": self._variant(third, context=stranger),
        }
        (self._folder / "variants.json").write_text(json.dumps(variants))
        command = [sys.executable, "-m", "tests.e2e.apps.variants", str(self._folder)]
        subprocess.run(command, cwd=CHECKOUT, env=synth_environment(), check=True)

    def _variant(
        self, revisions: Mapping[str, str], *, context: Mapping[str, str] | None = None, forget_grant: bool = False
    ) -> dict[str, object]:
        """Describe the app with some revisions behind its first."""
        project = self._folder / f"project-{'-'.join(revisions)}"
        if not project.exists():
            _copy_project(project, revisions)
        own = {"alembic-project": str(project), **(context or {})}
        return {"context": {**self._context, **own}, "forget_grant": forget_grant}


def _copy_project(folder: Path, revisions: Mapping[str, str]) -> None:
    """Copy the project's Alembic part and add revisions behind its first, each after the one before."""
    shutil.copytree(CHECKOUT / "migrations", folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "alembic.ini", folder)
    before = FIRST_REVISION
    for revision, body in revisions.items():
        text = REVISION.format(revision=revision, down_revision=before, body=body)
        (folder / "migrations" / "versions" / f"{revision}.py").write_text(text)
        before = revision
