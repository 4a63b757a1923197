"""The rule for revision ids: Alembic must be able to address a revision by its id, and to record the id.

Synth and lint share the rule. Alembic itself checks only a part of it, and names no file.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

# alembic_version.version_num is VARCHAR(32). env.py can make the column wider, but is not run at synth.
MAX_CHARACTERS = 32
RESERVED = ("base", "head", "heads")
# Alembic reads @ - + : as operators, and writes an id into its SQL between single quotes, as it is.
FORBIDDEN = "'@-+:"
REMEDY = "rename the revision in that file, and in the down_revision or depends_on of the revisions that name it"


def problems(loaded: Iterable[tuple[object, Path]]) -> list[str]:
    """Return one message for each id that breaks the rule, among the ids that Alembic loaded, each with its file.

    Alembic leaves out a revision called head or heads, so the files beside the loaded ones are read as well.
    """
    ids = list(loaded)
    folders = dict.fromkeys(path.parent for _, path in ids)
    return _messages([*ids, *(found for folder in folders for found in _declared(folder.glob("*.py")))])


def problems_below(*folders: Path) -> list[str]:
    """Return the same for the files in and below folders whose scripts Alembic cannot load; the files are not run."""
    return _messages(found for folder in folders for found in _declared(folder.rglob("*.py")))


def _messages(ids: Iterable[tuple[object, Path]]) -> list[str]:
    found = ((revision, path, _rule_broken_by(revision)) for revision, path in dict.fromkeys(ids))
    return [
        f"revision id must {rule} (got {_shown(revision)} in {path}); {REMEDY}"
        for revision, path, rule in found
        if rule
    ]


def _declared(paths: Iterable[Path]) -> Iterator[tuple[object, Path]]:
    for path in sorted(paths):
        values = _assignments(path)
        revision = values.get("revision")
        if isinstance(revision, ast.Constant) and "down_revision" in values:
            yield revision.value, path


def _rule_broken_by(revision: object) -> str | None:
    if not isinstance(revision, str) or not revision.strip() == revision != "" or not revision.isprintable():
        return "be a text of printable characters, without a space at either end"
    if revision in RESERVED:
        return f"not be one of {', '.join(RESERVED)}, which Alembic reads as a place in the history"
    if set(revision) & set(FORBIDDEN):
        return f"not contain any of the characters {' '.join(FORBIDDEN)}"
    if len(revision) > MAX_CHARACTERS:
        return f"have at most {MAX_CHARACTERS} characters, the width of alembic_version.version_num"
    return None


def _shown(revision: object) -> str:
    is_long = isinstance(revision, str) and len(revision) > MAX_CHARACTERS
    return f"{revision!r}, {len(str(revision))} characters," if is_long else repr(revision)


def _assignments(path: Path) -> dict[str, ast.expr]:
    """Return the values that a file assigns to names at module level."""
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):  # Alembic reports such a file
        return {}
    values: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            values |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            values[node.target.id] = node.value
    return values
