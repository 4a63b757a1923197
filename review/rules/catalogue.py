"""The rules of this project, from rules.toml: the reason of each, and the advice with a safe example.

Tests run all examples, on an ordinary and on a partitioned table, and write docs/rules.md from them.
"""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("rules.toml")
DOCUMENT = "docs/rules.md"
CODE_LINES = 24
"""An advice shows its example up to this number of lines. A longer example is in DOCUMENT."""


@dataclass(frozen=True, kw_only=True)
class Example:
    """An unsafe revision, and the safe revisions in its place.

    - `advice`: a sentence
    - `cause`: the kind of the change, if the rule has several examples
    - `safe_partitioned`: the safe revisions for a partitioned table, if they differ
    - `before`: SQL that prepares the tables
    - `partitioned`: false if PostgreSQL does not support the unsafe form on a partitioned table
    """

    advice: str
    unsafe: str
    safe: tuple[str, ...]
    cause: str = ""
    safe_partitioned: tuple[str, ...] = ()
    before: str = ""
    partitioned: bool = True

    def revisions(self, *, is_partitioned: bool) -> tuple[str, ...]:
        """Return the bodies of upgrade() of the safe revisions."""
        return self.safe_partitioned if is_partitioned and self.safe_partitioned else self.safe


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule with its examples. `why` says what the rule prevents.

    `statements` are the rules of squawk with the same advice, each with a statement that violates it.
    """

    name: str
    why: str
    examples: tuple[Example, ...] = ()
    advice: str = ""
    statements: Mapping[str, str] = field(default_factory=dict)
    suppressible: bool = True


@cache
def rules() -> dict[str, Rule]:
    """Return the rules by name, with those of squawk that share the advice of another rule."""
    by_name: dict[str, Rule] = {}
    for name, table in tomllib.loads(FILE.read_text(encoding="utf-8")).items():
        examples = tuple(Example(**_tuples(example)) for example in table.pop("examples", ()))
        rule = Rule(name=name, examples=examples, **_tuples(table))
        by_name |= dict.fromkeys([name, *rule.statements], rule)
    return by_name


def advice_of(name: str, cause: str = "", *, is_partitioned: bool = False) -> str:
    """Return the advice of a rule, with the safe revisions, or an empty text for a rule that is not in the file."""
    rule = rules().get(name)
    if rule is None:
        return ""
    matching = [example for example in rule.examples if example.cause == cause] or list(rule.examples[:1])
    if not matching:
        return rule.advice.replace("{rule}", name)
    code = _code(matching[0].revisions(is_partitioned=is_partitioned))
    link = f"{DOCUMENT}#{name}"
    is_short = code.count("\n") < CODE_LINES
    text = matching[0].advice.replace("{rule}", name)
    return f"{text} For example ({link}):\n{code.replace('{rule}', name)}" if is_short else f"{text} See {link}."


def _code(bodies: Iterable[str]) -> str:
    bodies = [body.strip("\n") for body in bodies]
    if len(bodies) == 1:
        return bodies[0]
    return "\n".join(f"# revision {number} of {len(bodies)}\n{body}" for number, body in enumerate(bodies, start=1))


def _tuples(table: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
