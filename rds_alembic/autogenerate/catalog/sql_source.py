"""The SQL of a catalog as an author would write it, for revisions."""

import re

from rds_alembic.autogenerate.sql_text import split_list

_STRINGS = r"'(?:[^']|'')*'::character varying(?:, )?"
_ANY_STRING = re.compile(rf"""("(?:[^"]|"")+"|\w+)::text (= ANY|<> ALL) \(ARRAY\[((?:{_STRINGS})+)\]::text\[\]\)""")


_ARRAY_OF_STRINGS = re.compile(rf"\(ARRAY\[((?:{_STRINGS})+)\]\)::text\[\]")
_STRING = re.compile(r"'(?:[^']|'')*'::character varying")


def canonical(sql: str) -> str:
    """Return the spelling that PostgreSQL gives a list of VARCHAR when it has read its own, as after a dump."""
    return _ARRAY_OF_STRINGS.sub(lambda match: f"ARRAY[{_STRING.sub(r'(\g<0>)::text', match[1])}]", sql)


def restore_in(sql: str) -> str:
    """Write `IN` again, as the author did. PostgreSQL does not read its own spelling for VARCHAR in the same way."""

    def restore(match: re.Match[str]) -> str:
        column, operator, strings = match.groups()
        return f"{column} {'IN' if operator == '= ANY' else 'NOT IN'} ({strings.replace('::character varying', '')})"

    return _ANY_STRING.sub(restore, sql)


def index_elements(definition: str) -> tuple[str, ...]:
    """Return the elements of an index from its definition: `CREATE INDEX … USING btree (elements) …`."""
    match = re.search(r" USING \w+ \(", definition)
    rest = definition[match.end() :] if match else ""
    return tuple(split_list(_until_closing_parenthesis(rest)))


def _until_closing_parenthesis(text: str) -> str:
    depth, quoted = 0, ""
    for position, character in enumerate(text):
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "'\"":
            quoted = character
        elif character == ")" and depth == 0:
            return text[:position]
        else:
            depth += (character == "(") - (character == ")")
    return text
