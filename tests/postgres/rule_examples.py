"""The examples of the rules as Alembic projects, and the page of the rules, which is written from their results."""

import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from review.findings import Finding
from review.recording import RevisionRecording
from review.rules.catalogue import Example, Rule, rules
from tests.postgres.review_projects import ReviewProject

PAGE = Path(__file__).parents[2] / "docs/rules.md"
INTRODUCTION = """\
# Rules of `make lint-sql`

The lint runs the revisions on an ephemeral PostgreSQL and judges what it observes. Each rule has an unsafe example, the
finding, and a safe example in its place. Tests run all of them, on an ordinary and on a partitioned table with rows,
and write this page: `python -m tests.postgres.test_rules`. A comment
[suppresses](writing-migrations.md#suppress-a-finding) a finding.

The examples are bodies of `upgrade()`, and change these tables:

```sql
{tables}
```

In the partitioned form, `parcels` is partitioned by range of `id`, and has the partition `parcels_1`.
"""
DEPOTS = "CREATE TABLE depots (id integer PRIMARY KEY, name text)"
PARCELS = """\
CREATE TABLE parcels (
    id bigint NOT NULL PRIMARY KEY,
    recipient text DEFAULT 'unknown',
    weight integer NOT NULL,
    depot_id integer,
    CONSTRAINT ck_id CHECK (id > 0)
)"""
# The other objects that an example of a contract drops.
OTHERS = """
CREATE EXTENSION citext; CREATE DOMAIN grams AS integer; CREATE TYPE size AS ENUM ('s'); CREATE SCHEMA archive;
CREATE SEQUENCE numbers; CREATE VIEW recipients AS SELECT 1 AS id;
CREATE FUNCTION area(int) RETURNS int LANGUAGE sql RETURN 1;
CREATE TABLE measures (once int, twice int GENERATED ALWAYS AS (2 * once) STORED)
"""
ROWS = (
    "INSERT INTO parcels (id, recipient, weight) SELECT n, 'r' || n, n FROM generate_series(1, 100) n",
    "INSERT INTO depots SELECT n, 'd' || n FROM generate_series(10, 20) n",
)


@dataclass(frozen=True)
class Outcome:
    """The recordings and the findings of the revisions of an example."""

    recordings: Sequence[RevisionRecording]
    findings: Sequence[Finding]


class Examples:
    """Runs examples on the database of all tests."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, before: str, bodies: Sequence[str], *, is_partitioned: bool) -> Outcome:
        """Run revisions on tables with rows."""
        project = ReviewProject(self._folder / secrets.token_hex(4))
        for number, body in enumerate(bodies, start=1):
            project.add(f"r{number}", body=body.strip("\n"))
        judgement = project.judge(*tables(is_partitioned=is_partitioned), OTHERS, *ROWS, before or "SELECT")
        return Outcome(judgement.recordings, judgement.findings)


def tables(*, is_partitioned: bool) -> list[str]:
    if not is_partitioned:
        return [DEPOTS, PARCELS]
    partition = "CREATE TABLE parcels_1 PARTITION OF parcels FOR VALUES FROM (0) TO (1000000)"
    return [DEPOTS, f"{PARCELS} PARTITION BY RANGE (id)", partition]


def all_examples() -> Iterator[tuple[str, Rule, Example]]:
    """Yield the name of the rule with each example; a contract has one example for each of its statements."""
    for name, rule in rules().items():
        for example in rule.examples:
            yield name, rule, example
        if name in rule.statements:
            unsafe = f'op.execute("{rule.statements[name]}")'
            comment = re.search(r"# lint-sql: .*", rule.advice)
            assert comment
            safe = f"{comment[0].replace('{rule}', name)}\n{unsafe}"
            yield name, rule, Example(advice=rule.advice, unsafe=unsafe, safe=(safe,))


def page(messages: dict[tuple[str, str], str]) -> str:
    """Return the page. `messages` are those of the findings by rule and cause."""
    parts = [INTRODUCTION.format(tables=f"{DEPOTS};\n{PARCELS};")]
    for name, rule in rules().items():
        if name != rule.name:
            continue
        parts.append(f"## {name}\n\n{rule.why}\n")
        if rule.advice:
            parts.append(f"{rule.advice.replace('{rule}', 'rule')}\n")
        if rule.statements:
            rows = [f"| `{squawk}` | `{statement}` |" for squawk, statement in rule.statements.items()]
            parts.append("\n".join(["| rule | statement |", "|---|---|", *rows, ""]))
        parts += [_example(example, messages[name, example.cause]) for example in rule.examples]
    return "\n".join(parts)


def _example(example: Example, message: str) -> str:
    lines = [f"**Unsafe:** {message}", "", *_block([example.unsafe]), "", f"**Safe:** {example.advice}", ""]
    lines += _block(example.safe)
    if example.safe_partitioned:
        lines += ["", "For a partitioned table:", "", *_block(example.safe_partitioned)]
    return "\n".join([*lines, ""])


def _block(bodies: Sequence[str]) -> list[str]:
    lines = ["```python"]
    for number, body in enumerate(bodies, start=1):
        if len(bodies) > 1:
            lines += [""] * (number > 1) + [f"# revision {number} of {len(bodies)}"]
        lines += body.strip("\n").splitlines()
    return [*lines, "```"]
