"""The assemblies that the tests deploy: the app, synthesized by the CLI, and variants of it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Self

from localaws.cdk import local_context, synth, synth_environment
from localaws.certificates import CertificateAuthority
from localaws.constants import CHECKOUT, STATE
from rds_alembic.revisions.alembic_project import AlembicProject
from tests import alembic_projects

FIRST = "first"
REVISIONS = AlembicProject.read(CHECKOUT).revisions
"""The revisions of the example project, which the first deployment applies."""
ADD_COLUMN = 'op.add_column("queries", sa.Column("{column}", sa.Text()))\n'
# Code of an application, and a file of the project
SECOND = """from pathlib import Path
from shop import columns
op.add_column("queries", sa.Column("second", columns.TEXT))
op.execute(Path("migrations/second.sql").read_text())
"""
SLOW = 'op.execute("SELECT pg_sleep(2)")\n' + ADD_COLUMN
BROKEN = ADD_COLUMN.format(column="must_not_stay") + 'op.execute("CREATE TABLE queries (id integer)")\n'


class Assemblies:
    """The synthesized assemblies, by name. A lookup waits until the assembly is synthesized."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # The querier writes a row every minute.
        ca_path = CertificateAuthority(STATE / "ca").ca_path
        self._context = {**local_context(ca_path), "querier-schedule": "rate(1 minute)"}
        self._pool = ThreadPoolExecutor(1)
        self._variants = self._described()
        self._ready: dict[str, Future[None]] = {name: Future() for name in (FIRST, *self._variants)}

    def __enter__(self) -> Self:
        self._pool.submit(self._synthesize)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def __getitem__(self, name: str) -> Path:
        self._ready[name].result()
        return self._folder / name

    def _synthesize(self) -> None:
        try:
            synth(self._folder / FIRST, context=self._context)
            self._ready[FIRST].set_result(None)
            self._synthesize_variants()
        except Exception as error:
            for waiting in self._ready.values():
                if not waiting.done():
                    waiting.set_exception(error)
            raise

    def _synthesize_variants(self) -> None:
        (self._folder / "variants.json").write_text(json.dumps(self._variants))
        command = [sys.executable, "-m", "tests.e2e.apps.variants", str(self._folder)]
        with subprocess.Popen(
            command, cwd=CHECKOUT, env=synth_environment(), stdout=subprocess.PIPE, text=True
        ) as process:
            for line in process.stdout or ():
                if (name := line.strip()) in self._ready:
                    self._ready[name].set_result(None)
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)

    def _described(self) -> dict[str, dict[str, object]]:
        """Describe the variants for `apps/variants.py`, in the order of their deployment."""
        second = {"second": SECOND}
        third = {**second, "third": ADD_COLUMN.format(column="third")}
        ahead = {**second, "ahead": ADD_COLUMN.format(column="ahead")}
        further = {**ahead, "further": ADD_COLUMN.format(column="further")}
        last = {**further, "slow": SLOW.format(column="slow"), "last": SLOW.format(column="last")}
        prod, rerun = {"stage": "prod"}, {"rerun": "after the login was revoked"}
        return {
            "second": self._variant(second),
            "without grant": self._variant(third, change="forget_grant"),
            "rerun": self._variant(second, context=rerun),
            "broken": self._variant({**ahead, "broken": BROKEN}, context=rerun),
            "other resource": self._variant(further, context=rerun, change="fail_after_upgrade"),
            "forgetful": self._variant(third, context=rerun),
            "repaired": self._variant(last, context=rerun, change="shorten_invocations"),
            "replaced": self._variant(last, context=rerun, database="replaced"),
            "prod broken": self._variant({"broken": BROKEN}, context=prod),
            "prod": self._variant(second, context=prod),
            "prod unprotected": self._variant(second, context={**prod, "protection": "off"}),
        }

    def _variant(
        self,
        revisions: Mapping[str, str],
        *,
        context: Mapping[str, str] | None = None,
        change: str | None = None,
        database: str | None = None,
    ) -> dict[str, object]:
        """Describe the app with more revisions, and with one of the changes of `apps/variants.py`."""
        project = self._folder / f"project-{'-'.join(revisions)}"
        if not project.exists():
            _copy_project(project, revisions)
        own = {
            "alembic-project": str(project),
            "querier": "on",
            "include": str(project / "src" / "shop"),
            **(context or {}),
        }
        return {"context": {**self._context, **own}, "change": change, "database": database}


def _copy_project(folder: Path, bodies: Mapping[str, str]) -> None:
    """Copy the example project, add a chain of revisions after its head, and code of an application."""
    project = alembic_projects.AlembicProject.copy_example(folder)
    shop = folder / "src" / "shop"
    shop.mkdir(parents=True)
    (shop / "columns.py").write_text("import sqlalchemy\n\nTEXT = sqlalchemy.Text()\n")
    (folder / "migrations" / "second.sql").write_text("COMMENT ON TABLE queries IS 'from a file'")
    for revision, body in bodies.items():
        project.add(revision, body=body)
