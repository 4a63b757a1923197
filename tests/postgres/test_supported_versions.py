"""The migrator works with the oldest versions of Alembic and SQLAlchemy that a user's requirements may have.

All other tests use the newest versions.
"""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from rds_alembic.assets import BUILD_FOLDER, SOURCES, wheels
from rds_alembic.assets.requirements import SUPPORTED, combine, read_requirements
from tests.postgres.events import upgrade_event
from tests.postgres.projects import Project
from tests.postgres.servers import Cluster

OLDEST = SOURCES / "requirements" / "oldest.txt"
ARCHITECTURE = {"aarch64": "arm64", "x86_64": "x86_64"}[platform.machine()]
PROGRAM = """
import json, sys
from migrator import upgrade_handler
from tests.postgres.lambda_context import Context
print(json.dumps(upgrade_handler.is_complete(json.load(sys.stdin), Context())))
"""
ASK_FOR_VERSIONS = "import alembic, sqlalchemy; print(alembic.__version__, sqlalchemy.__version__)"


@pytest.fixture
def oldest(tmp_path: Path) -> Path:
    """Return a folder with the wheels of the migrator, in the oldest supported versions."""
    requirements = tmp_path / "oldest.txt"
    requirements.write_text(combine(SOURCES / "requirements" / "migrator.txt", OLDEST))
    return wheels.install_wheels(requirements, ARCHITECTURE, cache=BUILD_FOLDER)


def run(program: str, packages: Path, environ: dict[str, str], stdin: str = "") -> str:
    path = os.pathsep.join([str(packages), str(SOURCES)])
    process = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environ, "PYTHONPATH": path},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.splitlines()[-1]


def test_an_upgrade_works_with_the_oldest_supported_versions(
    bootstrapped: Cluster, tmp_path: Path, oldest: Path
) -> None:
    locked = read_requirements(OLDEST)
    assert {name: tuple(map(int, locked[name].version.split("."))) for name in SUPPORTED} == {
        name: first for name, (first, _) in SUPPORTED.items()
    }
    assert run(ASK_FOR_VERSIONS, oldest, {}) == f"{locked['alembic'].version} {locked['sqlalchemy'].version}"
    project = Project(tmp_path / "project")
    project.add("r1", "CREATE TABLE t (id int)", 'ALTER TABLE t ADD CONSTRAINT "percent%" CHECK (id % 2 = 0)')
    concurrently = 'with op.get_context().autocommit_block():\n    op.execute("CREATE INDEX CONCURRENTLY i ON t (id)")'
    project.add("r2", body=concurrently)
    environ = {**bootstrapped.environ("migrator"), "LAMBDA_TASK_ROOT": str(tmp_path), "LOCK_TIMEOUT_SECONDS": "3"}
    answer = json.loads(run(PROGRAM, oldest, environ, json.dumps(upgrade_event(project))))
    assert answer["Data"]["Revision"] == "r2"
    assert bootstrapped.admin("SELECT to_regclass('i') IS NOT NULL") == [(True,)]
