"""The program `alembic` in a checkout, as developers run it: with DATABASE_URL and without.

The database of DATABASE_URL is that of the tier, because a server for each command takes three times as long.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote

import pytest

from infra.settings import RoleSettings
from migrations import command_line
from rds_alembic.revisions.alembic_project import AlembicProject
from tests.postgres.servers import SETTINGS, Cluster

ROOT = Path(__file__).parents[2]
REVISIONS = AlembicProject.read(ROOT).revisions
ALEMBIC = Path(sys.executable).with_name("alembic")
MOOD = 'queries.append_column(sa.Column("mood", sa.Enum({values}, name="mood"), nullable=False, server_default="ok"))\n'


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Checkout:
    """A copy of the files that Alembic reads. `temporary` is the folder for the files of servers."""

    folder: Path
    temporary: Path
    database_url: str = ""

    def alembic(self, *arguments: str, **environ: str) -> Answer:
        """Run the program; `environ` is added to its environment."""
        known = {**os.environ, "DATABASE_URL": self.database_url}
        local = {"PYTHONPATH": str(ROOT), "TMPDIR": str(self.temporary), "LOCALAWS_POSTGRES": "embedded"}
        ran = subprocess.run(
            [ALEMBIC, *arguments],
            cwd=self.folder,
            env=known | local | environ,
            capture_output=True,
            text=True,
            check=False,
        )
        return Answer(ran.returncode, ran.stdout, ran.stderr)

    def succeed(self, *arguments: str) -> None:
        """Run the program, which must succeed."""
        answer = self.alembic(*arguments)
        assert answer.code == 0, answer

    def generate(self, message: str) -> str:
        """Generate a revision from the tables, apply it, and return its text."""
        self.succeed("revision", "--autogenerate", "-m", message)
        self.succeed("upgrade", "head")
        return self.script(message)

    def add_to_tables(self, line: str) -> None:
        """Append a line to the definition of the tables."""
        with (self.folder / "migrations/tables.py").open("a") as tables:
            tables.write(line)

    def script(self, message: str) -> str:
        """Return the text of the revision with this message."""
        [path] = self.folder.glob(f"migrations/versions/*_{message.replace(' ', '_')}.py")
        return path.read_text()

    def write_body(self, revision: str, line: str) -> None:
        """Create a revision whose upgrade is this line of Python."""
        self.succeed("revision", "-m", "test", "--rev-id", revision)
        [path] = self.folder.glob(f"migrations/versions/*_{revision}_test.py")
        path.write_text(path.read_text().replace("    pass", f"    {line}", 1))


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "migrations", folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / file, folder)
    with TemporaryDirectory() as temporary:  # pytest's own are closed to the server's user
        Path(temporary).chmod(0o711)
        yield Checkout(folder, Path(temporary))


# Without DATABASE_URL


def test_a_revision_is_generated_without_a_database(checkout: Checkout) -> None:
    checkout.add_to_tables('queries.append_column(sa.Column("remark", sa.Text))\n')
    written = checkout.alembic("revision", "--autogenerate", "-m", "remark")
    assert written.code == 0, written
    assert "DATABASE_URL is not set: using an ephemeral PostgreSQL" in written.err
    assert 'op.add_column("queries", sa.Column("remark", sa.Text(), nullable=True))' in checkout.script("remark")
    assert checkout.alembic("check").out.endswith("No new upgrade operations detected.\n")
    assert list(checkout.temporary.iterdir()) == []


def test_commands_that_read_the_database_find_it_at_head(checkout: Checkout) -> None:
    assert "(head) (current)" in checkout.alembic("history", "--indicate-current").out
    assert f"Running downgrade {REVISIONS[-1]} -> " in checkout.alembic("downgrade", "-1").err


def test_an_upgrade_starts_from_an_empty_database_and_shows_each_revision(checkout: Checkout) -> None:
    shown = checkout.alembic("upgrade", "head").err
    assert f"Running upgrade  -> {REVISIONS[0]}, " in shown
    assert shown.count("Running upgrade ") == len(REVISIONS)


def test_a_revision_may_name_the_roles_of_the_stack(checkout: Checkout) -> None:
    roles = RoleSettings()
    grant = f"GRANT SELECT ON queries TO {roles.owner}, {roles.migrator}, {roles.querier}"
    checkout.write_body("grant", f'op.execute("{grant}")')
    assert checkout.alembic("current").out == "grant (head)\n"


def test_the_local_server_may_be_a_container_or_a_process(checkout: Checkout) -> None:
    kind = os.environ.get("LOCALAWS_POSTGRES", "")
    assert checkout.alembic("current", LOCALAWS_POSTGRES=kind).out == f"{REVISIONS[-1]} (head)\n"


def test_a_revision_that_does_not_apply_is_named_in_one_line(checkout: Checkout) -> None:
    checkout.write_body("broken", 'op.execute("DROP TABLE nowhere")')
    answer = checkout.alembic("check")
    assert answer.out == 'FAILED: revision broken fails on an empty database: table "nowhere" does not exist\n'
    assert "Traceback" not in answer.err


def test_commands_that_need_no_database_start_no_server(checkout: Checkout) -> None:
    for arguments in (["upgrade", "head", "--sql"], ["history"], ["heads"], ["revision", "-m", "empty"]):
        answer = checkout.alembic(*arguments, LOCALAWS_POSTGRES="nonsense")
        assert answer.code == 0, answer


# With DATABASE_URL


@pytest.fixture
def connected(checkout: Checkout, bootstrapped: Cluster) -> Checkout:
    """Return a checkout with the URL of an empty database."""
    server = bootstrapped.postgres
    login = f"{SETTINGS.master_username}:{quote(SETTINGS.master_password)}"
    url = f"postgresql://{login}@{server.host}:{server.port}/{SETTINGS.database}?sslmode=require"
    return replace(checkout, database_url=url)


@pytest.fixture
def upgraded(connected: Checkout) -> Checkout:
    """Return a checkout with the URL of a database at head."""
    connected.succeed("upgrade", "head")
    return connected


def test_the_database_of_the_url_is_upgraded(connected: Checkout, bootstrapped: Cluster) -> None:
    answer = connected.alembic("upgrade", "head")
    assert answer.code == 0, answer
    assert "ephemeral" not in answer.err
    assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]


def test_a_revision_that_commits_by_itself_is_recorded(connected: Checkout, bootstrapped: Cluster) -> None:
    connected.write_body("commits", "op.get_bind().commit()")
    connected.succeed("upgrade", "head")
    assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [("commits",)]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "localhost",
            "DATABASE_URL is not a valid URL: it must have the form postgresql+psycopg2://user:password@host:port/database",
        ),
        (
            "postgresql://me:secret@localhost:many/app",
            "DATABASE_URL is not a valid URL: it must have the form postgresql",
        ),
        (
            "sqlite:///app.db",
            "DATABASE_URL must have the form postgresql+psycopg2://user:password@host:port/database (got sqlite://)",
        ),
        (
            "postgres://me:secret@127.0.0.1:1/app",
            "cannot connect to DATABASE_URL postgresql+psycopg2://me:***@127.0.0.1:1/app: connection",
        ),
    ],
)
def test_a_wrong_url_is_one_clear_line_without_its_password(checkout: Checkout, url: str, message: str) -> None:
    answer = checkout.alembic("current", DATABASE_URL=url)
    assert answer.code != 0
    assert message in answer.out
    assert len((answer.out + answer.err).strip().splitlines()) == 1
    assert "secret" not in answer.out + answer.err


# Revisions that are generated from the tables


def test_no_revision_is_written_if_the_database_has_the_tables(upgraded: Checkout) -> None:
    before = list(upgraded.folder.rglob("versions/*.py"))
    answer = upgraded.alembic("revision", "--autogenerate", "-m", "nothing")
    assert (answer.code, "No changes detected; no revision written." in answer.out) == (0, True)
    assert list(upgraded.folder.rglob("versions/*.py")) == before


def test_an_enum_type_is_created_and_dropped_with_its_column(upgraded: Checkout, bootstrapped: Cluster) -> None:
    upgraded.add_to_tables(MOOD.format(values="'ok', 'it''s: so'"))
    upgraded.generate("mood")
    assert enum_values(bootstrapped) == ["ok", "it''s: so".replace("''", "")]
    upgraded.succeed("check")
    upgraded.succeed("downgrade", "-1")
    assert enum_values(bootstrapped) == []


def test_an_enum_type_gets_new_values_and_keeps_its_old_ones(upgraded: Checkout, bootstrapped: Cluster) -> None:
    upgraded.add_to_tables(MOOD.format(values="'ok', 'sad'"))
    upgraded.generate("mood")
    tables = upgraded.folder / "migrations/tables.py"
    tables.write_text(tables.read_text().replace("'ok', 'sad'", "'great', 'ok', 'so so', 'sad'"))
    upgraded.generate("moods")
    assert enum_values(bootstrapped) == ["great", "ok", "so so", "sad"]
    upgraded.succeed("check")


def test_an_enum_type_that_loses_a_value_is_replaced(upgraded: Checkout, bootstrapped: Cluster) -> None:
    upgraded.add_to_tables(MOOD.format(values="'ok', 'sad', 'so so'"))
    upgraded.generate("mood")
    tables = upgraded.folder / "migrations/tables.py"
    tables.write_text(tables.read_text().replace("'ok', 'sad', 'so so'", "'so so', 'ok'"))
    upgraded.succeed("-x", "plain", "revision", "--autogenerate", "-m", "fewer moods")
    upgraded.succeed("upgrade", "head")
    assert enum_values(bootstrapped) == ["so so", "ok"]
    upgraded.succeed("check")
    upgraded.succeed("downgrade", "-1")
    assert enum_values(bootstrapped) == ["ok", "sad", "so so"]


def test_check_constraints_are_written_for_an_existing_table_and_for_a_new_one(
    upgraded: Checkout, bootstrapped: Cluster
) -> None:
    upgraded.add_to_tables("""
queries.append_constraint(sa.CheckConstraint("query_date > '1970-01-01'", name="recent"))
sa.Table(
    "depots",
    metadata,
    sa.Column("price", sa.Integer, sa.CheckConstraint("price > 0", name="positive")),
    sa.CheckConstraint("price < 100", name="low"),
)
""")
    upgraded.succeed("revision", "--autogenerate", "-m", "checks")
    upgraded.succeed("upgrade", "head")
    constraints = "SELECT conname FROM pg_constraint WHERE contype = 'c' AND conrelid <> 0 ORDER BY 1"
    names = {name for (name,) in bootstrapped.admin(constraints)}
    assert {"ck_queries_recent", "ck_depots_positive", "ck_depots_low"} <= names
    upgraded.succeed("check")


def enum_values(cluster: Cluster) -> list[str]:
    """Return the values of the enum types of the database, in their order."""
    return [str(value) for (value,) in cluster.admin("SELECT enumlabel FROM pg_enum ORDER BY enumsortorder")]


def test_the_ephemeral_database_has_the_roles_of_the_stack() -> None:
    roles = RoleSettings()
    assert (command_line.OWNER, set(command_line.ROLES)) == (roles.owner, {roles.migrator, roles.querier})
