"""The revisions that autogenerate writes in safe forms: their chain, and changes that need more than the usual form."""

from collections.abc import Callable
from contextlib import closing
from typing import Any, cast

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import Script
from alembic.util import CommandError

from migrator.upgrade_context import Outcome
from review.revision_scripts import RevisionScripts
from review.rules.judge import judge
from review.start import Start
from tests.postgres.generated import NAMES, check, configured, generate, prepare
from tests.postgres.projects import Project
from tests.postgres.review_projects import empty_database, record_after
from tests.postgres.role_setup import set_up_roles
from tests.postgres.servers import Cluster
from tests.postgres.upgrades import Upgrade, as_migrator, run_upgrade

PARTITIONS = (
    "CREATE TABLE events (id bigint, day date, note text, depot int) PARTITION BY RANGE (day)",
    "CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01')",
    "CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO (MAXVALUE) PARTITION BY LIST (day)",
    "CREATE TABLE events_2a PARTITION OF events_2 DEFAULT",
    "INSERT INTO events SELECT n, '2026-01-01'::date + n % 50, 'note', n FROM generate_series(1, 200) n",
)


class Deployments:
    """A database, and a project whose revisions are generated from models."""

    def __init__(self, cluster: Cluster, project: Project, run: Upgrade) -> None:
        self.cluster = cluster
        self.project = project
        self._run = run

    def add(self, *statements: str) -> None:
        """Deploy a revision of SQL statements."""
        self.project.add(f"r{len(self.project.revisions) + 1}", *statements)
        self._run(self.project)

    def generate(self, metadata: sa.MetaData, *arguments: str, **options: Any) -> list[Script]:
        revision = f"r{len(self.project.revisions) + 1}"
        return generate(self.cluster, self.project, metadata, *arguments, **{"revision": revision} | options)

    def deploy(self, metadata: sa.MetaData, *arguments: str, keeps_order: bool = True, **options: Any) -> list[Script]:
        """Generate revisions, apply them, reverse them, apply them again, and compare the database with the models.

        `keeps_order` is false if the downgrade gives the columns another order.
        """
        scripts = self.generate(metadata, *arguments, **options)
        before = self.cluster.dump_schema()
        self._run(self.project)
        after = self.cluster.dump_schema()
        self.downgrade(len(scripts))
        assert not keeps_order or self.cluster.dump_schema() == before
        self._run(self.project)
        assert self.cluster.dump_schema() == after
        check(self.cluster, self.project, metadata)
        return scripts

    def downgrade(self, count: int) -> None:
        with configured(self.cluster, self.project, sa.MetaData()) as config:
            command.downgrade(config, f"-{count}")

    def indexes(self, table: str) -> dict[str, bool]:
        """Return the names of the indexes of a table, and true if an index is valid."""
        rows = self.cluster.admin(
            f"SELECT indexrelid::regclass::text, indisvalid FROM pg_index WHERE indrelid = '{table}'::regclass"
        )
        return {str(name): bool(valid) for name, valid in rows}


@pytest.fixture
def deployments(bootstrapped: Cluster, project: Project, run: Upgrade) -> Deployments:
    prepare(project)
    run(project)
    return Deployments(bootstrapped, project, run)


def models(*tables: Callable[[sa.MetaData], object], names: dict[str, str] = NAMES) -> sa.MetaData:
    metadata = sa.MetaData(naming_convention=names)
    for table in tables:
        table(metadata)
    return metadata


def table(name: str, *items: Any, **options: Any) -> Callable[[sa.MetaData], object]:
    return lambda metadata: sa.Table(name, metadata, *items, **options)


def t(*items: Any) -> Callable[[sa.MetaData], object]:
    return table("t", sa.Column("id", sa.Integer), *items)


def titles(scripts: list[Script]) -> list[str]:
    return [str(script.doc) for script in scripts]


# The chain of revisions


def test_each_revision_of_a_chain_has_an_id_a_message_and_a_docstring(deployments: Deployments) -> None:
    deployments.add("SELECT 1")
    scripts = deployments.deploy(
        models(t(sa.Index(None, "id"), sa.CheckConstraint("id > 0", name="id"))), revision="new"
    )
    assert [script.revision for script in scripts] == ["new", "new_2", "new_3"]
    assert titles(scripts) == [
        "change: add ck_t_id, not valid",
        "change: build ix_t_id concurrently",
        "change: validate ck_t_id",
    ]
    docstrings = [script.module.upgrade.__doc__ for script in scripts]
    assert all("Lock on t: " in docstring for docstring in docstrings)


def test_a_change_of_one_revision_keeps_the_message(deployments: Deployments) -> None:
    scripts = deployments.deploy(models(t(sa.Column("city", sa.Text))), message="add the city")
    assert titles(scripts) == ["add the city"]


def test_a_label_and_a_dependency_belong_to_the_first_revision_of_a_chain(deployments: Deployments) -> None:
    metadata = models(t(sa.CheckConstraint("id > 0", name="id")))
    with configured(deployments.cluster, deployments.project, metadata) as config:
        options: dict[str, Any] = {"rev_id": "new", "branch_label": "label", "depends_on": "r1"}
        first, second = cast("list[Script]", command.revision(config, autogenerate=True, **options))
    assert (first.branch_labels, first.dependencies) == ({"label"}, "r1")
    assert (second.down_revision, second.dependencies) == ("new", None)


def test_a_chain_may_start_at_an_older_revision_with_splice(deployments: Deployments) -> None:
    deployments.add("SELECT 1")
    metadata = models(t(sa.CheckConstraint("id > 0", name="id")))
    with configured(deployments.cluster, deployments.project, metadata) as config:
        options: dict[str, Any] = {"rev_id": "new", "head": "r1", "splice": True}
        first, second = cast("list[Script]", command.revision(config, autogenerate=True, **options))
    assert (first.down_revision, second.down_revision) == ("r1", "new")


def test_ids_with_a_number_that_would_be_too_long_are_random(deployments: Deployments) -> None:
    metadata = models(t(sa.CheckConstraint("id > 0", name="id")))
    first, second = deployments.deploy(metadata, revision="a" * 32)
    assert first.revision == "a" * 32
    assert len(second.revision) == 12


def test_the_option_plain_keeps_the_form_of_alembic(deployments: Deployments) -> None:
    scripts = deployments.deploy(models(t(sa.Index(None, "id"), sa.CheckConstraint("id > 0", name="id"))), "plain")
    assert titles(scripts) == ["change"]


# Changes without a safe form


@pytest.mark.parametrize(
    ("column", "error"),
    [
        (("x", sa.Text, {"nullable": False}), r"t\.x must be nullable or have a server_default (.|\n)*1\. (.|\n)*3\. "),
        (("x", sa.Integer, sa.Identity(), {}), r"t\.x must not be an identity in an existing table"),
        (("x", sa.Integer, sa.Computed("id * 2", persisted=True), {}), r"t\.x must not be generated and stored"),
    ],
    ids=["NOT NULL without a default", "identity", "generated"],
)
def test_a_column_that_would_fail_or_rewrite_the_table_is_rejected(
    column: tuple[Any, ...], error: str, deployments: Deployments
) -> None:
    *arguments, options = column
    metadata = models(t(sa.Column(*arguments, **options)))
    with pytest.raises(CommandError, match=error):
        deployments.generate(metadata)
    assert deployments.deploy(metadata, "plain")


def test_all_changes_without_a_safe_form_are_named_in_one_error(deployments: Deployments) -> None:
    columns = [sa.Column(name, sa.Text, nullable=False) for name in ("x", "y")]
    with pytest.raises(CommandError, match=r"column t\.x (.|\n)* column t\.y ".replace(" column t", "column t")):
        deployments.generate(models(t(*columns)))


def test_a_type_of_another_size_is_rejected_while_an_index_needs_the_column(deployments: Deployments) -> None:
    deployments.add("CREATE INDEX ix_t_id ON t (id)")
    metadata = models(table("t", sa.Column("id", sa.BigInteger, index=True)))
    with pytest.raises(CommandError, match=r"t\.id must not be used by other objects (.|\n)*index ix_t_id"):
        deployments.generate(metadata)


# Renames


def test_a_drop_and_an_addition_of_the_same_type_are_reported_as_a_rename(deployments: Deployments) -> None:
    deployments.add("INSERT INTO t VALUES (1)")
    metadata = models(table("t", sa.Column("number", sa.Integer)))
    with pytest.raises(CommandError, match=r"RENAME=t\.id:number"):
        deployments.generate(metadata)
    scripts = deployments.generate(metadata, "rename=no")
    assert titles(scripts) == ["change: add number to t", "change: drop id from t"]


@pytest.mark.parametrize("value", ["id", "id:", ":number", "id:other", "other:number", "x.id:number"])
def test_a_rename_that_matches_no_change_is_rejected(value: str, deployments: Deployments) -> None:
    metadata = models(table("t", sa.Column("number", sa.Integer)))
    with pytest.raises(CommandError, match="rename must "):
        deployments.generate(metadata, f"rename={value}")


# Indexes and constraints


def test_a_revision_replaces_the_invalid_index_of_a_failed_build(deployments: Deployments, run: Upgrade) -> None:
    deployments.add("INSERT INTO t VALUES (1), (1)")
    deployments.generate(models(t(sa.UniqueConstraint("id"))))
    with pytest.raises(Exception, match="23505"):
        run(deployments.project)
    assert deployments.indexes("t") == {"uq_t_id": False}
    with closing(deployments.cluster.connect_with_token("migrator")) as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM t")
        connection.commit()
    run(deployments.project)
    assert deployments.indexes("t") == {"uq_t_id": True}


def test_unnamed_constraints_get_the_names_of_postgresql(deployments: Deployments) -> None:
    deployments.add("CREATE TABLE u (id int PRIMARY KEY)")
    u = table("u", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    items = (sa.UniqueConstraint("id"), sa.ForeignKeyConstraint(["id"], ["u.id"]))
    deployments.deploy(models(u, t(*items), names={}))
    names = deployments.cluster.admin("SELECT conname FROM pg_constraint WHERE conrelid = 't'::regclass ORDER BY 1")
    assert names == [("t_id_fkey",), ("t_id_key",)]


def test_names_that_need_quotes_work_in_every_form(deployments: Deployments) -> None:
    deployments.add(
        'CREATE TABLE "Order: 100%" ("Select" int, "a b" int)', "CREATE TABLE u (id int CONSTRAINT pk_u PRIMARY KEY)"
    )
    u = table("u", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    columns = (
        sa.Column("Select", sa.BigInteger),
        sa.Column("a b", sa.Integer, nullable=False),
        sa.Column("C c", sa.Uuid, server_default=sa.func.gen_random_uuid(), nullable=False),
    )
    items = (
        sa.UniqueConstraint("a b", name="Uq 1"),
        sa.ForeignKeyConstraint(["a b"], ["u.id"], name="Fk 1"),
        sa.CheckConstraint('"a b" > 0', name="Ck 1"),
    )
    deployments.deploy(models(t(), u, table("Order: 100%", *columns, *items)), keeps_order=False)


def test_a_changed_constraint_holds_for_new_rows_at_all_times(deployments: Deployments) -> None:
    deployments.add(
        "CREATE TABLE u (id int CONSTRAINT pk_u PRIMARY KEY)",
        "ALTER TABLE t ADD n int, ADD CONSTRAINT fk FOREIGN KEY (id) REFERENCES u, ADD CONSTRAINT uq UNIQUE (id)",
    )
    u = table("u", sa.Column("id", sa.Integer, primary_key=True, autoincrement=False))
    key = sa.ForeignKeyConstraint(["id"], ["u.id"], name="fk", ondelete="CASCADE")
    unique = sa.UniqueConstraint("id", "n", name="uq", deferrable=True, initially="DEFERRED")
    scripts = deployments.deploy(models(u, t(sa.Column("n", sa.Integer), key, unique)))
    assert titles(scripts) == [
        "change: build uq_new concurrently",
        "change: replace uq",
        "change: replace fk, not valid",
        "change: validate fk",
    ]


def test_foreign_keys_of_a_new_table_to_several_tables_are_added_one_after_another(deployments: Deployments) -> None:
    deployments.add(*(f"CREATE TABLE {name} (id int CONSTRAINT pk_{name} PRIMARY KEY)" for name in ("u", "v")))
    others = [table(name, sa.Column("id", sa.Integer, primary_key=True, autoincrement=False)) for name in ("u", "v")]
    keys: list[sa.Column[Any]] = [sa.Column(name, sa.ForeignKey(f"{name}.id")) for name in ("u", "v")]
    scripts = deployments.deploy(models(t(), *others, table("new", *keys)))
    assert titles(scripts) == [
        "change: create new",
        "change: add fk_new_u_u, not valid",
        "change: add fk_new_v_v, not valid",
        "change: validate the constraints of new",
    ]


def test_the_forms_work_on_every_supported_version(any_version: Cluster, project: Project) -> None:
    any_version.reset()
    set_up_roles(any_version)
    prepare(project)
    project.add("r2", "ALTER TABLE t ADD n int", "INSERT INTO t VALUES (1, 1), (2, 2)")

    def run(project: Project) -> Outcome:
        return run_upgrade(as_migrator(any_version), project.folder, project.request())

    run(project)
    columns = sa.Column("id", sa.BigInteger), sa.Column("n", sa.Integer, nullable=False)
    metadata = models(table("t", *columns, sa.UniqueConstraint("n"), sa.CheckConstraint("n > 0", name="n")))
    generate(any_version, project, metadata, revision="new")
    run(project)
    check(any_version, project, metadata)
    with configured(any_version, project, metadata) as config:
        command.downgrade(config, "r2")
    assert any_version.admin("SELECT id, n FROM t ORDER BY id") == [(1, 1), (2, 2)]
    run(project)
    check(any_version, project, metadata)


def test_indexes_and_keys_of_a_partitioned_table_are_built_on_its_partitions(deployments: Deployments) -> None:
    deployments.add(*PARTITIONS)
    events = table(
        "events",
        *(sa.Column("id", sa.BigInteger), sa.Column("day", sa.Date), sa.Column("note", sa.Text)),
        *(sa.Column("depot", sa.Integer, nullable=False), sa.Index(None, "note"), sa.UniqueConstraint("id", "day")),
        sa.Column("token", sa.Uuid, server_default=sa.func.gen_random_uuid(), nullable=False),
        sa.CheckConstraint("depot > 0", name="depot"),
        postgresql_partition_by="RANGE (day)",
    )

    def without_partitions(name: str | None, kind: str, _parents: object) -> bool:
        return kind != "table" or not str(name).startswith("events_")

    metadata = models(t(), events)
    deployments.generate(metadata, include_name=without_partitions)
    history = RevisionScripts.read(deployments.project.ini)
    assert judge(history, Start(("r2",), ""), record_after(history, ("r2",), empty_database())).findings == ()
    deployments.add("SELECT 1")
    check(deployments.cluster, deployments.project, metadata, include_name=without_partitions)
    assert deployments.indexes("events") == {"ix_events_note": True, "uq_events_id_day": True}
    assert len(deployments.indexes("events_2a")) == 2
    assert deployments.cluster.admin("SELECT count(*), count(token) FROM events") == [(200, 200)]


def test_a_type_of_another_size_is_rejected_beside_a_new_constraint_on_the_column(deployments: Deployments) -> None:
    check = sa.CheckConstraint("id > 0", name="id")
    metadata = models(table("t", sa.Column("id", sa.BigInteger), check))
    with pytest.raises(CommandError, match=r"t\.id must change its type before it gets indexes and constraints"):
        deployments.generate(metadata)


def test_comments_and_defaults_are_restored_by_a_downgrade(deployments: Deployments) -> None:
    deployments.add(
        "COMMENT ON TABLE t IS 'old'", "COMMENT ON COLUMN t.id IS 'old'", "ALTER TABLE t ALTER id SET DEFAULT 1"
    )
    column = sa.Column("id", sa.Integer, nullable=False, server_default=sa.text("2"), comment="new")
    deployments.deploy(models(table("t", column, comment="new")))


def test_a_drop_and_a_creation_of_the_same_columns_are_reported_as_a_renamed_table(deployments: Deployments) -> None:
    metadata = models(table("renamed", sa.Column("id", sa.Integer)))
    with pytest.raises(CommandError, match=r"table t must be renamed or dropped explicitly"):
        deployments.generate(metadata)
    assert titles(deployments.deploy(metadata, "rename=no")) == ["change: create renamed", "change: drop t"]


def test_a_key_with_another_name_is_renamed(deployments: Deployments) -> None:
    deployments.add("CREATE TABLE u (id int PRIMARY KEY, n int CONSTRAINT n UNIQUE)")
    columns = sa.Column("id", sa.Integer, primary_key=True, autoincrement=False), sa.Column("n", sa.Integer)
    scripts = deployments.deploy(models(t(), table("u", *columns, sa.UniqueConstraint("n", name="new"))))
    assert len(scripts) == 1
    assert deployments.indexes("u") == {"pk_u": True, "new": True}
