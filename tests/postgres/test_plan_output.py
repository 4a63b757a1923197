"""The output of `make plan` and `make lint-sql`: text, Markdown, JSON, annotations and SARIF."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from review.production import Production, TableSize
from review.recording import Relation, Work
from review.reports import machine, markdown, text
from review.rules.judge import Judgement
from tests.postgres.review_projects import ReviewProject

TABLES = (
    "CREATE TABLE parcels (id int PRIMARY KEY, weight int)",
    "CREATE TABLE events (id int) PARTITION BY RANGE (id)",
)
SIZES = Production({("public", "parcels"): TableSize(412_000_000_000, 40.0)})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ReviewProject:
    monkeypatch.chdir(tmp_path)
    return ReviewProject(tmp_path)


def as_text(judgement: Judgement, production: Production = Production()) -> str:  # noqa: B008 - immutable
    console = Console(file=io.StringIO(), width=160)
    text.show_plan(judgement, production, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def as_markdown(judgement: Judgement, production: Production = Production()) -> str:  # noqa: B008 - immutable
    return markdown.render_markdown(judgement, production)


def as_json(judgement: Judgement, production: Production = Production()) -> dict[str, Any]:  # noqa: B008 - immutable
    document: dict[str, Any] = json.loads(machine.plan_as_json(judgement, production))
    return document


def sql_blocks(document: str) -> list[tuple[str, str]]:
    return re.findall(r"^(`{3,})sql\n(.*?)^\1$", document, re.MULTILINE | re.DOTALL)


def test_each_statement_has_its_lock_its_work_and_who_waits(project: ReviewProject) -> None:
    project.add("r1", "ALTER TABLE parcels ALTER weight TYPE bigint", "INSERT INTO parcels VALUES (1, 1)")
    judgement = project.judge(*TABLES)
    cells = "11", "ACCESS EXCLUSIVE", "parcels", "rewrites parcels: 412.0 GB, about 40 min", "readers and writers wait"
    assert re.search(rf"{' +'.join(cells)} \(40 writes/s\)", as_text(judgement, SIZES))
    item = (
        "- line 11: **ACCESS EXCLUSIVE** on `parcels`; rewrites parcels: 412.0 GB, about 40 min; "
        "readers and writers wait (40 writes/s)"
    )
    assert item in as_markdown(judgement, SIZES)
    (revision,) = as_json(judgement, SIZES)["revisions"]
    statements = revision["statements"]
    assert statements[0]["locks"][0] == {"relation": "public.parcels", "kind": "table", "mode": "ACCESS EXCLUSIVE"}
    (work,) = statements[0]["work"]
    assert (work["kind"], work["table"], work["bytes"]) == ("rewrites", "public.parcels", 412_000_000_000)
    assert statements[1]["rows"] == 1


@pytest.mark.parametrize(
    ("statements", "verdict"),
    [
        (["ALTER TABLE parcels ALTER weight TYPE bigint"], "Rewrites parcels. Meanwhile, readers and writers wait."),
        (["CREATE INDEX ix ON parcels (weight)"], "Builds ix on parcels. Meanwhile, writers wait."),
        (
            ["ALTER TABLE parcels ADD a int"],
            "ACCESS EXCLUSIVE on parcels until the transaction ends: readers and writers",
        ),
        (["UPDATE parcels SET weight = 1"], "Reads parcels. No reader or writer waits."),
        (["CREATE TABLE n (id int)"], "No reader or writer waits."),
        (["DROP TABLE nowhere"], 'Cannot run: table "nowhere" does not exist'),
        ([], "No reader or writer waits."),
    ],
)
def test_a_revision_has_a_verdict_in_one_sentence(project: ReviewProject, statements: list[str], verdict: str) -> None:
    project.add("r1", *statements)
    judgement = project.judge(*TABLES)
    assert f"\n{verdict}" in as_text(judgement)
    assert f"**{verdict.rstrip('.')}" in as_markdown(judgement).replace("\\", "")


def test_the_limits_of_an_empty_database_are_stated(project: ReviewProject) -> None:
    project.add("r1", "ALTER TABLE events ADD a int", "UPDATE parcels SET weight = 1", "SELECT id FROM parcels")
    (revision,) = as_json(project.judge(*TABLES))["revisions"]
    assert revision["limits"] == [
        "line 12: UPDATE found no rows here. In production, its time depends on the rows.",
        "line 13: the query found no rows here. Code that depends on rows did not run.",
        "events is partitioned: partitions that exist only in production are locked and changed as well.",
    ]


def test_a_statement_outside_a_transaction_shows_whom_it_waits_for(project: ReviewProject) -> None:
    create = 'op.create_index("ix", "parcels", ["weight"], postgresql_concurrently=True)'
    project.add("r1", body=f"with op.get_context().autocommit_block():\n    {create}")
    shown = as_markdown(project.judge(*TABLES))
    assert (
        "SHARE UPDATE EXCLUSIVE** on `parcels`; builds ix on parcels; schema changes wait; it waits for trans" in shown
    )


def test_the_summary_has_the_start_and_the_strictest_lock(project: ReviewProject) -> None:
    project.add("r1", "SELECT 1")
    project.add("r2", "CREATE INDEX ix ON parcels (weight)")
    first = as_text(project.judge(*TABLES, start=("r1",))).splitlines()[0]
    assert first == "From r1 (as requested) to r2: 1 revision, 1 finding. Strictest lock: SHARE (writers wait)."


def test_the_begin_and_end_of_transactions_are_shown(project: ReviewProject) -> None:
    project.add(
        "r1", body="op.execute('SELECT 1')\nwith op.get_context().autocommit_block():\n    op.execute('SELECT 2')"
    )
    (block,) = [sql for _, sql in sql_blocks(as_markdown(project.judge()))]
    spoken = [line for line in block.splitlines() if line]
    assert spoken == [
        "-- a transaction begins", "SELECT 1;", "-- the transaction ends", "-- outside a transaction", "SELECT 2;",
    ]  # fmt: skip


def test_revisions_after_a_failure_are_named(project: ReviewProject) -> None:
    project.add("r1", "DROP TABLE nowhere")
    project.add("r2", "SELECT 1")
    judgement = project.judge()
    assert "Not run, because an earlier revision fails: r2" in as_markdown(judgement)
    assert "not run, because an earlier revision fails: r2" in as_text(judgement)
    assert as_json(judgement)["not_run"] == ["r2"]


def test_fences_in_strings_do_not_end_the_block(project: ReviewProject) -> None:
    project.add("r1", "SELECT '\n```\n</details>\n````'")
    ((fence, sql),) = sql_blocks(as_markdown(project.judge()))
    assert fence == "`" * 5
    assert "\n````'" in sql


def test_a_title_is_escaped_and_mentions_no_user(project: ReviewProject) -> None:
    path = project.add("r1", "SELECT 1")
    path.write_text('"""drop `a|b` for @octocat <b>*now*"""\n' + path.read_text())
    document = as_markdown(project.judge())
    assert "@octocat" not in document
    assert r"\<b\>\*now\*" in document


def test_findings_are_listed_with_their_positions_and_one_advice_per_rule(project: ReviewProject) -> None:
    project.add("r1", "CREATE INDEX ix ON parcels (weight)", "CREATE INDEX iy ON parcels (weight)")
    document = as_markdown(project.judge(*TABLES))
    assert len([line for line in document.splitlines() if line.startswith("- **builds-index**")]) == 2
    assert "(`scripts/versions/r1.py:11`)" in document
    assert document.count("*builds-index*: Build the index concurrently") == 1


def test_the_markdown_lists_the_statements_that_lock_an_existing_table(project: ReviewProject) -> None:
    project.add("r1", "SELECT 1", "CREATE TABLE n (id int)", "ALTER TABLE parcels ADD a int")
    items = [line for line in as_markdown(project.judge(*TABLES)).splitlines() if line.startswith("- ")]
    assert items[0].startswith("- line 13: **ACCESS EXCLUSIVE** on `parcels`; changes the catalog; ")
    assert items[1] == "- 2 other statements: no lock on a table that existed before"


def test_no_line_of_the_markdown_is_a_table(project: ReviewProject) -> None:
    project.add("r1", "ALTER TABLE parcels ADD a int")
    assert [line for line in as_markdown(project.judge(*TABLES)).splitlines() if line.startswith("|")] == []


def test_a_long_plan_fits_into_a_comment_by_omitting_the_longest_sql(project: ReviewProject) -> None:
    project.add("short", "SELECT 'kept'")
    project.add("long", f"SELECT '{'é' * 40_000}'")
    project.add("longer", f"SELECT '{'x' * 90_000}'")
    document = as_markdown(project.judge())
    assert len(document.encode()) <= markdown.LIMIT
    assert "SELECT 'kept'" in document
    assert "ééé" not in document
    assert "xxx" not in document
    assert "The longest parts are omitted" in document


def test_a_plan_of_hundreds_of_revisions_fits_into_a_comment(project: ReviewProject) -> None:
    project.add("r1", "SELECT 1", body="")
    judgement = project.judge()
    many = Judgement(judgement.start, judgement.heads, judgement.revisions, judgement.recordings * 900, (), ())
    assert len(as_markdown(many).encode()) <= markdown.LIMIT


def test_findings_are_written_for_programs(project: ReviewProject) -> None:
    project.add("r1", "DROP TABLE parcels")
    judgement = project.judge(*TABLES)
    (line,) = machine.annotations(judgement.findings).splitlines()
    assert line.startswith("::error file=scripts/versions/r1.py,line=11,endLine=11,title=ban-drop-table::Dropping")
    assert "%0A" in line or "First deploy code" in line
    (finding,) = json.loads(machine.findings_as_json(judgement))["findings"]
    assert (finding["path"], finding["rule"]) == ("scripts/versions/r1.py", "ban-drop-table")
    (run,) = json.loads(machine.findings_as_sarif(judgement))["runs"]
    (result,) = run["results"]
    location = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], location["region"]["startLine"]) == ("ban-drop-table", 11)
    assert location["artifactLocation"]["uri"] == "scripts/versions/r1.py"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["ban-drop-table"]


def test_the_lint_prints_findings_then_notes_then_the_counts(project: ReviewProject) -> None:
    project.add("one", "SELECT 1")
    project.add("two", "DROP TABLE parcels", "DROP TABLE events")
    console = Console(file=io.StringIO(), width=160)
    text.show_judgement(project.judge(*TABLES), console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    positions = [line.split(": ")[:2] for line in lines if re.match(r"\S+:\d+: ", line)]
    assert positions == [
        ["scripts/versions/two.py:11", "ban-drop-table"], ["scripts/versions/two.py:12", "ban-drop-table"],
    ]  # fmt: skip
    assert lines[-2:] == ["2 revisions, all of them not frozen: run make freeze", "2 findings in 1 of 2 revisions"]


@pytest.mark.parametrize(
    ("size", "described"),
    [
        (12, "12 bytes, about 1 s"),
        (10_000_000_000, "10.0 GB, about 59 s"),
        (412_000_000_000, "412.0 GB, about 40 min"),
        (2 * 10**12, "2.0 TB, about 3 h"),
    ],
)
def test_a_rewrite_is_described_with_size_and_duration(tmp_path: Path, size: int, described: str) -> None:
    tables = [{"schema": "shop", "table": "t", "bytes": size, "writes_per_second": 0.5}]
    locked = {"schema": "shop", "table": "u", "bytes": None, "writes_per_second": None}
    for number, document in enumerate(([*tables, locked], {"tables": [*tables, locked]})):
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(document))
        production = Production.read(file)
        assert production.describe(Work("rewrites", Relation("shop", "t"))) == f"rewrites shop.t: {described}"
        assert production.describe(Work("reads", Relation("shop", "u"))) == "reads shop.u"
