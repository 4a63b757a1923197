"""What the revisions made so far, as far as their SQL tells: names, the tables of indexes, foreign keys."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from review.planning.syntax import Node, name_of, references

_MAKES = {
    "CREATE_TABLE": "TABLE_NAME",
    "CREATE_TABLE_AS": "TABLE_NAME",
    "SELECT_INTO": "TABLE_NAME",
    "CREATE_FOREIGN_TABLE": "TABLE_NAME",
    "CREATE_VIEW": "VIEW",
    "CREATE_MATERIALIZED_VIEW": "VIEW",
    "CREATE_SEQUENCE": "SEQUENCE",
    "CREATE_INDEX": "INDEX",
}
_RENAMES = {
    "TABLE_RENAME_TO": "TABLE_NAME",
    "VIEW_RENAME_TO": "VIEW",
    "SEQUENCE_RENAME_TO": "SEQUENCE",
    "INDEX_RENAME_TO": "INDEX",
}
_DROPS = {"DROP_TABLE", "DROP_FOREIGN_TABLE", "DROP_VIEW", "DROP_MATERIALIZED_VIEW", "DROP_SEQUENCE", "DROP_INDEX"}
_FOREIGN_KEYS = ("FOREIGN_KEY_CONSTRAINT", "REFERENCES_CONSTRAINT")


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key; without a name of its own, PostgreSQL makes one that ends in `_fkey`."""

    name: str | None
    columns: frozenset[str]
    target: str

    def is_called(self, name: str) -> bool:
        """Tell whether this may be the constraint of that name."""
        return self.name == name if self.name else name.endswith("_fkey")


@dataclass
class Schema:
    """Grows by each statement. `new`: what the revision at hand made; `known`: what any did."""

    new: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    table_of_index: dict[str, str] = field(default_factory=dict)
    foreign_keys: dict[str, set[ForeignKey]] = field(default_factory=lambda: defaultdict(set))

    def learn(self, statement: Node) -> None:
        """Take a statement as run."""
        if made := made_by(statement):
            self.new.add(made)
            self.known.add(made)
        table = next((reference.name for reference in references(statement)), "")
        if statement.kind == "CREATE_INDEX" and made:
            self.table_of_index[_last(made)] = table
        if statement.kind in {"CREATE_TABLE", "ALTER_TABLE"}:
            self.foreign_keys[made or table].update(_foreign_keys(statement))
        if renamed := _new_name(statement):
            self._rename(table, renamed)
        if statement.kind in _DROPS:
            self._forget(reference.name for reference in references(statement))

    def table_with(self, index: str) -> str | None:
        """Return the table that an index is on, if a revision made it."""
        return self.table_of_index.get(_last(index))

    def targets(self, table: str, *, constraint: str | None = None, column: str | None = None) -> set[str]:
        """Return the tables that foreign keys of a table name: all of them, or those that go with what is dropped."""
        return {
            key.target
            for key in self.foreign_keys.get(table, ())
            if (constraint is None or key.is_called(constraint)) and (column is None or column in key.columns)
        }

    def _rename(self, old: str, short: str) -> None:
        new = ".".join([*old.split(".")[:-1], short])
        for names in (self.new, self.known):
            if old in names:
                names.remove(old)
                names.add(new)
        self.table_of_index = {index: new if table == old else table for index, table in self.table_of_index.items()}
        if _last(old) in self.table_of_index:
            self.table_of_index[_last(new)] = self.table_of_index.pop(_last(old))
        if old in self.foreign_keys:
            self.foreign_keys[new] = self.foreign_keys.pop(old)

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.new.discard(name)
            self.known.discard(name)
            self.foreign_keys.pop(name, None)


def made_by(statement: Node) -> str | None:
    """Return the name of the relation that a statement makes."""
    kind = _MAKES.get(statement.kind)
    return next((name_of(node.text) for node in statement.find(kind)), None) if kind else None


def _new_name(statement: Node) -> str | None:
    for node in statement.find(*_RENAMES):
        return next((name_of(name.text) for name in node.find(_RENAMES[node.kind])), None)
    return None


def _foreign_keys(statement: Node) -> Iterable[ForeignKey]:
    for node, above in statement.walk():
        if node.kind in _FOREIGN_KEYS:
            name = next((name_of(found.text) for found in node.find("CONSTRAINT_NAME")), None)
            inline = node.kind == "REFERENCES_CONSTRAINT"
            owner = above[0] if inline else next(node.find("FOREIGN_KEY_COLUMN_LIST"), node)
            column = "COLUMN_NAME" if inline else "COLUMN_NAME_REF"
            columns = frozenset(name_of(found.text) for found in owner.find(column))
            for target in node.find("TABLE_NAME_REF"):
                yield ForeignKey(name, columns, name_of(target.text))


def _last(name: str) -> str:
    return name.rpartition(".")[2]
