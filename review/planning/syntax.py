"""The syntax trees of SQL statements, from squawk's parser, and the relations that they name.

The output of `squawk --debug parse` is not a stable format. Squawk is locked to one version, and
tests/tools/test_lock_levels.py fails if another version writes the trees differently.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from review import squawk
from review.errors import ReviewError

UNREADABLE = "ERROR"
"""The kind of a statement that squawk cannot parse."""

RELATION_KINDS = {
    "RELATION_NAME_REF": "",
    "TABLE_NAME_REF": "",
    "QUALIFIED_COLUMN_NAME_REF": "",
    "VIEW_REF": "view",
    "SEQUENCE_REF": "sequence",
    "INDEX_REF": "index",
}
"""The kinds of nodes that name an existing relation, and the kind of relation, which is empty for a table."""

_NODE = re.compile(r"^( *)([A-Z][A-Z0-9_]*)@(\d+)\.\.(\d+)( \")?", re.MULTILINE)
_NAME_PART = re.compile(r'"(?:[^"]|"")*"|[^\s."]+')


@dataclass(slots=True)
class Node:
    """A node of the syntax tree. `kind` is squawk's name. Keywords are nodes too, for example `FULL_KW`."""

    kind: str
    source: bytes
    start: int
    end: int
    children: list["Node"] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the SQL of the node."""
        return self.source[self.start : self.end].decode()

    def walk(self, above: tuple["Node", ...] = ()) -> Iterator[tuple["Node", tuple["Node", ...]]]:
        """Yield the node and all nodes below, each with its ancestors, innermost first."""
        yield self, above
        for child in self.children:
            yield from child.walk((self, *above))

    def find(self, *kinds: str) -> Iterator["Node"]:
        """Yield the node and the nodes below that have one of the kinds."""
        return (node for node, _ in self.walk() if node.kind in kinds)

    def has(self, *kinds: str) -> bool:
        """Tell whether the tree has a node of one of the kinds."""
        return any(True for _ in self.find(*kinds))


@dataclass(frozen=True)
class Reference:
    """A relation that a statement names, and the kinds of the nodes around the name, innermost first."""

    name: str
    kind: str
    nodes: tuple[str, ...]


def parse(statements: Sequence[str]) -> list[Node]:
    """Return a tree for each text. If a text does not hold exactly one statement, the kind is UNREADABLE."""
    sources = [statement.encode("utf-8", errors="replace") for statement in statements]
    trees = list(_trees(_parsed(sources), sources)) if sources else []
    if len(trees) != len(sources):
        raise ReviewError(f"squawk parsed {len(trees)} of {len(sources)} statements")
    return [_only_statement(tree) for tree in trees]


def references(statement: Node) -> Iterator[Reference]:
    """Yield the relations that the statement names, except those that it defines in WITH."""
    own = {name_of(node.text) for node in statement.find("CTE_NAME")}
    for node, above in statement.walk():
        if node.kind in RELATION_KINDS:
            name = name_of(node.text, is_column=node.kind == "QUALIFIED_COLUMN_NAME_REF")
            if not (node.kind == "RELATION_NAME_REF" and name in own):
                yield Reference(name, RELATION_KINDS[node.kind], tuple(outer.kind for outer in above))


def name_of(text: str, *, is_column: bool = False) -> str:
    """Return the normal form of a name: in lower case, without unnecessary quotes and without the schema `public`."""
    parts = [_folded(part) for part in _NAME_PART.findall(text)]
    parts = parts[:-1] if is_column else parts
    return ".".join(parts[1:] if len(parts) > 1 and parts[0] == "public" else parts)


def _folded(part: str) -> str:
    inner = part[1:-1] if part.startswith('"') else part.lower()
    return inner if re.fullmatch(r"[a-z_][a-z0-9_$]*", inner) else part


def _parsed(sources: Sequence[bytes]) -> str:
    with TemporaryDirectory(prefix="squawk-") as folder:
        for number, source in enumerate(sources):
            Path(folder, f"{number:08}.sql").write_bytes(
                source
            )  # squawk writes the trees in the order of the file names
        process = subprocess.run(
            [squawk.PROGRAM, "--debug", "parse", f"{folder}/*.sql"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    return process.stdout


def _trees(output: str, sources: Sequence[bytes]) -> Iterator[Node]:
    """Yield the root for each source. Tokens are omitted, except keywords."""
    rest = iter(sources)
    path: list[Node] = []
    for indent, kind, start, end, is_token in _NODE.findall(output):
        if is_token and not kind.endswith("_KW"):
            continue
        depth = len(indent) // 2
        source = path[0].source if depth else next(rest, b"")
        node = Node(kind, source, int(start), int(end))
        if depth:
            path[depth - 1].children.append(node)
        else:
            yield node
        path[depth:] = [node]


def _only_statement(root: Node) -> Node:
    statements = [node for node in root.children if node.kind != "EMPTY_STMT"]
    if len(statements) == 1 and not statements[0].has(UNREADABLE):
        return statements[0]
    return Node(UNREADABLE, root.source, root.start, root.end)
