"""The statements that can run twice.

If a revision with an autocommit block fails, the statements before the failure stay. The next upgrade runs the revision
again from its first line.
"""

from collections.abc import Iterable, Sequence

# fmt: off
KINDS = frozenset({
    "aggregate", "collation", "domain", "extension", "function", "index", "policy", "procedure", "publication", "role",
    "rule", "schema", "sequence", "server", "statistics", "table", "trigger", "type", "view",
})
REPEATABLE_ACTIONS = frozenset({
    "cluster", "disable", "enable", "force", "no", "owner", "replica", "reset", "set", "validate",
})
# fmt: on
"""The actions of ALTER TABLE that can run twice, without ALTER COLUMN."""

type DatabaseObject = tuple[str, str]
"""The kind of an object and its name."""


def object_of(words: Sequence[str]) -> DatabaseObject | None:
    """Return the object of a CREATE, ALTER or DROP. Return None if its kind is not one of KINDS."""
    for number, word in enumerate(words[1:8], start=1):
        if word in KINDS:
            rest = [word for word in words[number + 1 : number + 12] if word not in {"concurrently", "only"}]
            return word, _name(_after(rest, ["if", "not", "exists"], ["if", "exists"]))
    return None


def dropped_before(statements: Iterable[Sequence[str]]) -> list[frozenset[DatabaseObject]]:
    """Return for each statement the objects that are dropped before it, and so can be created again."""
    before, dropped = [], frozenset[DatabaseObject]()
    for words in statements:
        before.append(dropped)
        target = object_of(words) if words[0] == "drop" else None
        if target:
            dropped |= {target}
    return before


def can_alter_again(words: Sequence[str]) -> bool:
    """Tell whether an ALTER TABLE can run twice: it sets properties, and adds or renames no object."""
    if list(words[:2]) != ["alter", "table"]:
        return False
    rest = _after([word for word in words[2:] if word != "only"], ["if", "exists"])
    while rest[1:2] == ["."]:
        rest = rest[2:]
    return all(_is_repeatable(action) for action in _split(rest[1:]))


def _is_repeatable(action: Sequence[str]) -> bool:
    if action[:1] == ["alter"]:
        return not {"add", "expression", "identity", "rename"} & set(action[:5])
    return bool(action) and action[0] in REPEATABLE_ACTIONS


def _split(words: Sequence[str]) -> list[list[str]]:
    actions: list[list[str]] = [[]]
    depth = 0
    for word in words:
        depth += {"(": 1, ")": -1}.get(word, 0)
        if word == "," and depth == 0:
            actions.append([])
        else:
            actions[-1].append(word)
    return actions


def _after(words: list[str], *prefixes: list[str]) -> list[str]:
    for prefix in prefixes:
        if words[: len(prefix)] == prefix:
            return words[len(prefix) :]
    return words


def _name(words: Sequence[str]) -> str:
    """Return the last part of the name at the start of the words."""
    last = 0
    while words[last + 1 : last + 2] == ["."]:
        last += 2
    return words[last].strip('"') if last < len(words) else ""
