"""Rehearsals: the functions of a deployment on an ephemeral database, started by the command."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from localaws.certificates import CertificateAuthority
from localaws.rehearsal import LogEntry, Rehearsal, RehearsalSettings
from rds_alembic.assets import wheels
from rds_alembic.assets.function_asset import build_asset
from rds_alembic.assets.migrator import upgrade_asset
from rds_alembic.revisions import alembic_project
from tests.alembic_projects import ROOT, AlembicProject
from tests.e2e.processes import descendants, wait_until_gone

COMMAND = [sys.executable, "-P", "-m", "rds_alembic.cli", "rehearse"]
# A revision that fails if the session is not that of a deployment.
CHECK = """
DO $$ BEGIN
    ASSERT session_user = 'shop_migrator' AND current_user = 'shop_owner';
    ASSERT NOT (SELECT bool_or(rolsuper) FROM pg_roles WHERE rolname IN (session_user, current_user));
    ASSERT (SELECT tableowner = 'shop_owner' FROM pg_tables WHERE tablename = 't');
    ASSERT NOT has_schema_privilege('shop', 'public', 'CREATE') AND pg_has_role('shop', 'rds_iam', 'USAGE');
    ASSERT current_setting('lock_timeout') = '500ms' AND current_database() = 'shop_database';
    ASSERT (SELECT count(*) = 1 FROM alembic_version);
    ASSERT (SELECT count(*) = 2 FROM pg_extension WHERE extname IN ('hstore', 'citext'));
END $$
"""


def run(*options: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a folder."""
    return subprocess.run(
        [*COMMAND, *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


def without_times(output: str) -> str:
    return re.sub(r"\d+\.\d+ s", "_ s", output)


@pytest.fixture
def project(tmp_path: Path) -> AlembicProject:
    project = AlembicProject(tmp_path / "shop")
    project.add("r1", "CREATE TABLE t (id int)")
    return project


def test_a_rehearsal_shows_each_revision_with_its_seconds_and_the_error_of_a_deployment(
    project: AlembicProject,
) -> None:
    project.add("r2", "SELECT pg_sleep(0.5)").write_text(
        '"""wait for the table\n\nand more"""\n' + project.path("r2").read_text()
    )
    project.add("r3", "CREATE EXTENSION file_fdw")
    result = run(folder=project.folder)
    assert without_times(result.stdout).splitlines() == [
        "PostgreSQL 17, from base to r3",
        "r1  _ s",
        "r2  _ s  wait for the table",
        "r3  failed",
    ]
    assert float(re.findall(r"r2  (\S+) s", result.stdout)[0]) >= 0.5
    assert result.returncode == 1
    error = 'Error: revision r3 failed: 42501: permission denied to create extension "file_fdw"\n'
    assert result.stderr.endswith(error)


def test_a_rehearsal_from_a_revision_has_the_settings_and_the_roles_of_the_deployment(
    project: AlembicProject,
) -> None:
    folder = project.folder.parent
    (folder / "src" / "catalog").mkdir(parents=True)
    (folder / "src" / "catalog" / "names.py").write_text("TABLE = 't'\n")
    project.add("r2", CHECK)
    project.add("r3", body="from catalog.names import TABLE\nop.execute(f'ALTER TABLE {TABLE} ADD z int')")
    context = {
        "alembic-project": "shop",
        "include": "src/catalog",
        "lock-timeout": 0.5,
        "extensions": "hstore, citext",
    }
    (folder / "cdk.json").write_text(json.dumps({"context": context}))
    names = ("--owner", "shop_owner", "--migrator", "shop_migrator", "--user", "shop", "--database", "shop_database")
    result = run("--from", "r1", *names, folder=folder)
    assert result.returncode == 0, result.stderr
    assert without_times(result.stdout).splitlines() == [
        "PostgreSQL 17, from r1 to r3",
        "r2  _ s",
        "r3  _ s",
        "the database is at r3: 2 revisions, _ s in all",
    ]


@pytest.fixture
def temporary() -> Iterator[Path]:
    """Return a folder for temporary files that the operating system's user of the server can pass through."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_an_interrupted_rehearsal_leaves_no_process_and_no_file(
    project: AlembicProject, temporary: Path, number: int, status: int
) -> None:
    project.add("r2", "SELECT pg_sleep(600)")
    variables = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}
    with subprocess.Popen(COMMAND, cwd=project.folder, env=variables, stdout=subprocess.PIPE, text=True) as command:
        try:
            assert command.stdout
            next(line for line in command.stdout if line.startswith("r1"))
            processes = descendants(command.pid)
            assert len(processes) >= 3  # the supervisor of the server, the function, and its child
            command.send_signal(number)
            assert command.wait(20) == status
        finally:
            command.kill()
    assert wait_until_gone(processes, 60) == set()
    assert list(temporary.iterdir()) == []


def zip_of(project: AlembicProject) -> tuple[bytes, dict[str, object]]:
    """Return the zip of a project, and the properties of its custom resource."""
    read = alembic_project.AlembicProject.read(project.folder)
    asset = build_asset(upgrade_asset(read), wheels.THIS_MACHINE)  # the zip of a machine that is not like Lambda
    return asset.path.read_bytes(), {"MigrationsDigest": read.migrations_digest, "Revisions": list(read.revisions)}


def test_a_chain_that_is_longer_than_one_invocation_is_applied_in_several(
    project: AlembicProject, certificates: CertificateAuthority
) -> None:
    for revision in ("r2", "r3"):
        project.add(revision, f"INSERT INTO t VALUES ({revision[1:]})")
    code_zip, properties = zip_of(project)
    log: list[LogEntry] = []
    settings = RehearsalSettings(
        timeout_seconds=40
    )  # 15 s are kept: a revision does not begin with less than 30 s left
    with Rehearsal(settings, certificates=certificates) as rehearsal:
        rehearsal.set_up_roles(code_zip, log.append)
        result = rehearsal.upgrade(code_zip, properties, log.append)
        assert rehearsal.instance.admin("SELECT id FROM t ORDER BY id") == [(2,), (3,)]
    assert (result.revision, result.applied, result.invocations) == ("r3", 3, 3)
    assert revisions_of(log, "revision finished") == ["r1", "r2", "r3"]


def revisions_of(log: Sequence[LogEntry], message: str) -> list[str]:
    return [str(entry.values["revision"]) for entry in log if entry.message == message]
