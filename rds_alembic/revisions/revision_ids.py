"""The rule for revision ids: Alembic must be able to address a revision by its id, and to record the id.

Synth and lint share the rule. Alembic checks a part of the rule and does not name the file.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path

from rds_alembic.revisions.syntax import parse

# alembic_version.version_num is VARCHAR(32). env.py can make the column wider, but synth does not run env.py.
MAX_CHARACTERS = 32
RESERVED = ("base", "head", "heads")
# Alembic reads @ - + : as operators, and writes an id into its SQL between single quotes without escaping.
FORBIDDEN = "'@-+:"
REMEDY = "rename the revision in that file, and in the down_revision or depends_on of the revisions that name it"


def problems(loaded: Iterable[tuple[object, Path]]) -> list[str]:
    """Return one message for each id that violates the rule.

    `loaded` has the ids that Alembic loaded, with their files. Alembic leaves out a revision with the id head or heads.
    Therefore the files beside the loaded ones are read as well.
    """
    ids = list(loaded)
    folders = dict.fromkeys(path.parent for _, path in ids)
    return _messages([*ids, *(declared for folder in folders for declared in _declared_ids(folder.glob("*.py")))])


def problems_below(*folders: Path) -> list[str]:
    """Return the messages for all files in and below folders, if Alembic cannot load them. The files are not run."""
    return _messages(declared for folder in folders for declared in _declared_ids(folder.rglob("*.py")))


def _messages(ids: Iterable[tuple[object, Path]]) -> list[str]:
    return [
        f"revision id must {rule} (got {_format_id(revision)} in {path}); {REMEDY}"
        for revision, path in dict.fromkeys(ids)
        if (rule := _violated_rule(revision))
    ]


def _declared_ids(paths: Iterable[Path]) -> Iterator[tuple[object, Path]]:
    for path in sorted(paths):
        try:
            values = assignments(parse(path.read_bytes()))
        except (SyntaxError, ValueError):  # Alembic reports such a file
            continue
        revision = values.get("revision")
        if isinstance(revision, ast.Constant) and "down_revision" in values:
            yield revision.value, path


def _violated_rule(revision: object) -> str | None:
    if not isinstance(revision, str) or not revision.strip() == revision != "" or not revision.isprintable():
        return "be a text of printable characters, without a space at either end"
    if revision in RESERVED:
        return f"not be one of {', '.join(RESERVED)}, which are symbolic names of Alembic"
    if set(revision) & set(FORBIDDEN):
        return f"not contain any of the characters {' '.join(FORBIDDEN)}"
    if len(revision) > MAX_CHARACTERS:
        return f"have at most {MAX_CHARACTERS} characters, the width of alembic_version.version_num"
    return None


def _format_id(revision: object) -> str:
    is_long = isinstance(revision, str) and len(revision) > MAX_CHARACTERS
    return f"{revision!r}, {len(str(revision))} characters," if is_long else repr(revision)


def assignments(tree: ast.Module) -> dict[str, ast.expr]:
    """Return the values that a module assigns to names at its top level."""
    values: dict[str, ast.expr] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign):
            values |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            values[node.target.id] = node.value
    return values
