"""The model of the schema that the SQL of revisions creates: relations, the tables of indexes, and foreign keys."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from review.planning.syntax import Node, name_of, references

_CREATES = {
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
_NAMES = ("CONSTRAINT_NAME_REF", "COLUMN_NAME_REF", "CONSTRAINT_NAME", "COLUMN_NAME")
_ENDING = "fkey"
_NUMBER = re.compile(r"(?<=_fkey)\d+$")
_LONGEST_NAME = 63


@dataclass(frozen=True)
class ForeignKey:
    """A foreign key. PostgreSQL chooses the name if the statement does not."""

    name: str
    columns: tuple[str, ...]
    target: str


@dataclass
class Schema:
    """The relations that the current revision (`new`) or any revision (`known`) created, with indexes and keys."""

    new: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    table_of_index: dict[str, str] = field(default_factory=dict)
    foreign_keys: dict[str, set[ForeignKey]] = field(default_factory=lambda: defaultdict(set))

    def apply(self, statement: Node) -> None:
        """Change the model as the statement changes the schema."""
        if created := created_by(statement):
            self.new.add(created)
            self.known.add(created)
        table = next((reference.name for reference in references(statement)), "")
        if statement.kind == "CREATE_INDEX" and created:
            self.table_of_index[_last(created)] = table
        if statement.kind in {"CREATE_TABLE", "ALTER_TABLE"}:
            self._change_keys(created or table, statement)
        if renamed := _new_name(statement):
            self._rename(table, renamed)
        if statement.kind in _DROPS:
            self._forget(reference.name for reference in references(statement))

    def table_with(self, index: str) -> str | None:
        """Return the table of an index, if a revision created the index."""
        return self.table_of_index.get(_last(index))

    def keys(self, table: str, part: Node | None = None) -> set[ForeignKey]:
        """Return the foreign keys of a table: all, or those that an action of ALTER TABLE drops or validates."""
        keys = self.foreign_keys.get(table, set())
        if part is None:
            return keys
        name = next((name_of(node.text) for node in part.find("CONSTRAINT_NAME_REF", "COLUMN_NAME_REF")), "")
        if part.kind == "DROP_COLUMN":
            return {key for key in keys if name in key.columns}
        return {key for key in keys if key.name in {name, _NUMBER.sub("", name)}}

    def _change_keys(self, table: str, statement: Node) -> None:
        for part in statement.find("DROP_CONSTRAINT", "DROP_COLUMN"):
            self.foreign_keys[table] -= self.keys(table, part)
        self.foreign_keys[table].update(_foreign_keys(statement, table))
        for part in statement.find("RENAME_CONSTRAINT", "RENAME_COLUMN"):
            old, new = (name_of(node.text) for node in part.find(*_NAMES))
            self.foreign_keys[table] = {
                replace(key, name=new if key.name == old else key.name)
                if part.kind == "RENAME_CONSTRAINT"
                else replace(key, columns=tuple(new if column == old else column for column in key.columns))
                for key in self.foreign_keys[table]
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
        for table, keys in self.foreign_keys.items():
            self.foreign_keys[table] = {replace(key, target=new) if key.target == old else key for key in keys}

    def _forget(self, names: Iterable[str]) -> None:
        for name in names:
            self.new.discard(name)
            self.known.discard(name)
            self.foreign_keys.pop(name, None)
            for table, keys in self.foreign_keys.items():
                self.foreign_keys[table] = {key for key in keys if key.target != name}


def created_by(statement: Node) -> str | None:
    """Return the name of the relation that a statement creates."""
    kind = _CREATES.get(statement.kind)
    return next((name_of(node.text) for node in statement.find(kind)), None) if kind else None


def _new_name(statement: Node) -> str | None:
    for node in statement.find(*_RENAMES):
        return next((name_of(name.text) for name in node.find(_RENAMES[node.kind])), None)
    return None


def _foreign_keys(statement: Node, table: str) -> Iterator[ForeignKey]:
    for node, above in statement.walk():
        if node.kind in _FOREIGN_KEYS:
            inline = node.kind == "REFERENCES_CONSTRAINT"
            owner = above[0] if inline else next(node.find("FOREIGN_KEY_COLUMN_LIST"), node)
            column = "COLUMN_NAME" if inline else "COLUMN_NAME_REF"
            columns = tuple(name_of(item.text) for item in owner.find(column))
            name = next((name_of(item.text) for item in node.find("CONSTRAINT_NAME")), _name_of_key(table, columns))
            for target in node.find("TABLE_NAME_REF"):
                yield ForeignKey(name, columns, name_of(target.text))


def _name_of_key(table: str, columns: Iterable[str]) -> str:
    """Name a foreign key as PostgreSQL does: the longer part is cut. The number after a duplicate name is omitted."""
    parts = [part.replace('"', "") for part in (_last(table), "_".join(columns))]
    while len("_".join([*parts, _ENDING])) > _LONGEST_NAME:
        longer = 0 if len(parts[0]) > len(parts[1]) else 1
        parts[longer] = parts[longer][:-1]
    return name_of(f'"{"_".join([*parts, _ENDING])}"')


def _last(name: str) -> str:
    return name.rpartition(".")[2]
