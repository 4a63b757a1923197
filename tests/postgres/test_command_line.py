"""`alembic` as a developer runs it: in a checkout of its own, with a database at hand and without."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
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
    """A copy of what Alembic needs; `temporary` is where servers have their files."""

    folder: Path
    temporary: Path

    def alembic(self, *arguments: str, **environ: str) -> Answer:
        """Run the program, without DATABASE_URL unless it is given."""
        known = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
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

    def add_to_tables(self, line: str) -> None:
        """Change the tables as a developer would."""
        with (self.folder / "migrations/tables.py").open("a") as tables:
            tables.write(line)

    def revision(self) -> str:
        """Return the newest revision."""
        return max((self.folder / "migrations/versions").glob("*.py")).read_text()


@pytest.fixture
def checkout(tmp_path: Path) -> Iterator[Checkout]:
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "migrations", folder / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("alembic.ini", "pyproject.toml"):
        shutil.copy(ROOT / file, folder)
    with TemporaryDirectory() as temporary:  # pytest's own are closed to the server's user
        Path(temporary).chmod(0o711)
        yield Checkout(folder, Path(temporary))


def test_a_revision_is_generated_without_a_database(checkout: Checkout) -> None:
    checkout.add_to_tables('queries.append_column(sa.Column("remark", sa.Text))\n')
    assert checkout.alembic("check").code != 0
    written = checkout.alembic("revision", "--autogenerate", "-m", "add a remark")
    assert written.code == 0, written
    assert "DATABASE_URL is not set: using an ephemeral PostgreSQL" in written.err
    assert 'op.add_column("queries", sa.Column("remark", sa.Text(), nullable=True))' in checkout.revision()
    assert checkout.alembic("check").out.endswith("No new upgrade operations detected.\n")
    assert list(checkout.temporary.iterdir()) == []


def test_commands_that_look_at_the_database_find_it_at_head(checkout: Checkout) -> None:
    assert checkout.alembic("current").out == f"{REVISIONS[-1]} (head)\n"
    assert "(head) (current)" in checkout.alembic("history", "--indicate-current").out
    assert f"Running downgrade {REVISIONS[-1]} -> " in checkout.alembic("downgrade", "-1").err


def test_an_upgrade_starts_from_nothing_and_shows_each_revision(checkout: Checkout) -> None:
    shown = checkout.alembic("upgrade", "head").err
    assert f"Running upgrade  -> {REVISIONS[0]}, " in shown
    assert shown.count("Running upgrade ") == len(REVISIONS)


def test_the_local_server_may_be_of_either_kind(checkout: Checkout) -> None:
    kind = os.environ.get("LOCALAWS_POSTGRES", "")
    assert checkout.alembic("current", LOCALAWS_POSTGRES=kind).out == f"{REVISIONS[-1]} (head)\n"


def test_no_server_is_started_to_write_sql_or_list_revisions(checkout: Checkout) -> None:
    for arguments in (["upgrade", "head", "--sql"], ["history"], ["heads"], ["revision", "-m", "empty"]):
        answer = checkout.alembic(*arguments, LOCALAWS_POSTGRES="nonsense")
        assert answer.code == 0, answer


def test_the_tables_as_they_are_make_no_revision(checkout: Checkout) -> None:
    before = list(checkout.folder.rglob("versions/*.py"))
    answer = checkout.alembic("revision", "--autogenerate", "-m", "nothing")
    assert (answer.code, "No changes detected; no revision written." in answer.out) == (0, True)
    assert list(checkout.folder.rglob("versions/*.py")) == before


def test_an_enum_type_is_made_and_dropped_with_its_column(checkout: Checkout) -> None:
    checkout.add_to_tables(MOOD.format(values="'ok', 'it''s: so'"))
    assert checkout.alembic("revision", "--autogenerate", "-m", "mood").code == 0
    assert r"""op.execute("CREATE TYPE mood AS ENUM ('ok', 'its\\: so')")""" in checkout.revision()
    assert checkout.alembic("check").code == 0
    assert checkout.alembic("downgrade", "-1").code == 0


def test_an_enum_type_gets_new_values_and_keeps_its_old_ones(checkout: Checkout) -> None:
    checkout.add_to_tables(MOOD.format(values="'ok', 'sad'"))
    checkout.alembic("revision", "--autogenerate", "-m", "mood", "--rev-id", "1")
    tables = checkout.folder / "migrations/tables.py"
    tables.write_text(tables.read_text().replace("'ok', 'sad'", "'great', 'ok', 'so so', 'sad'"))
    written = checkout.alembic("revision", "--autogenerate", "-m", "moods", "--rev-id", "2")
    assert written.code == 0, written
    text = next(checkout.folder.rglob("versions/*_2_moods.py")).read_text()
    assert "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'great' BEFORE 'ok'" in text
    assert "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'so so' AFTER 'ok'" in text
    assert checkout.alembic("check").code == 0
    tables.write_text(tables.read_text().replace("'great', 'ok',", "'great',"))
    refused = checkout.alembic("revision", "--autogenerate", "-m", "fewer moods")
    assert refused.code != 0
    assert (
        "values of enum type mood must contain ['great', 'ok', 'so so', 'sad'] in this order (got ['great', "
        in refused.out
    )


def test_check_constraints_are_written_for_a_table_that_is_there_and_for_a_new_one(checkout: Checkout) -> None:
    checkout.add_to_tables("""
queries.append_constraint(sa.CheckConstraint("query_date > '1970-01-01'", name="recent"))
sa.Table(
    "depots",
    metadata,
    sa.Column("price", sa.Integer, sa.CheckConstraint("price > 0", name="positive")),
    sa.CheckConstraint("price < 100", name="low"),
)
""")
    written = checkout.alembic("revision", "--autogenerate", "-m", "checks")
    assert written.code == 0, written
    text = checkout.revision()
    assert """op.create_check_constraint(op.f("ck_queries_recent"), "queries", "query_date > '1970-01-01'")""" in text
    assert 'sa.CheckConstraint("price > 0", name=op.f("ck_depots_positive"))' in text
    assert 'sa.CheckConstraint("price < 100", name=op.f("ck_depots_low"))' in text
    assert checkout.alembic("check").code == 0


def test_a_revision_that_does_not_apply_is_named_in_one_line(checkout: Checkout) -> None:
    checkout.alembic("revision", "-m", "broken", "--rev-id", "broken")
    script = next(checkout.folder.rglob("versions/*_broken_*.py"))
    script.write_text(script.read_text().replace("    pass", '    op.execute("DROP TABLE nowhere")', 1))
    answer = checkout.alembic("check")
    assert answer.out == 'FAILED: revision broken fails on an empty database: table "nowhere" does not exist\n'
    assert "Traceback" not in answer.err


@pytest.fixture
def named(bootstrapped: Cluster) -> str:
    """Return the URL of a database."""
    server = bootstrapped.postgres
    login = f"{SETTINGS.master_username}:{quote(SETTINGS.master_password)}"
    return f"postgresql://{login}@{server.host}:{server.port}/{SETTINGS.database}?sslmode=require"


def test_the_database_that_is_named_is_used(checkout: Checkout, bootstrapped: Cluster, named: str) -> None:
    answer = checkout.alembic("upgrade", "head", DATABASE_URL=named)
    assert answer.code == 0, answer
    assert "ephemeral" not in answer.err
    assert bootstrapped.admin("SELECT version_num FROM alembic_version") == [(REVISIONS[-1],)]


def test_a_revision_that_commits_by_itself_is_recorded(checkout: Checkout, bootstrapped: Cluster, named: str) -> None:
    checkout.alembic("revision", "-m", "commits", "--rev-id", "commits")
    script = next(checkout.folder.rglob("versions/*_commits_*.py"))
    script.write_text(script.read_text().replace("    pass", "    op.get_bind().commit()", 1))
    assert checkout.alembic("upgrade", "head", DATABASE_URL=named).code == 0
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


def test_the_ephemeral_database_has_the_roles_of_the_stack() -> None:
    roles = RoleSettings()
    assert (command_line.OWNER, set(command_line.ROLES)) == (roles.owner, {roles.migrator, roles.querier})
