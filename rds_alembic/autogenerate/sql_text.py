"""SQL text in revisions: quoting, literals, and the escapes that SQLAlchemy's `text()` needs.

The text must arrive in the database character by character.
"""

import re
from typing import Any

from sqlalchemy import TextClause
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles

_PREPARER = postgresql.base.PGDialect().identifier_preparer  # type: ignore[no-untyped-call] # has no types


class RevisionText(TextClause):
    """SQL text that Alembic writes into a revision without a change.

    Alembic compiles an expression with the dialect of the connection. This doubles `%` and removes the escapes of
    colons, so that another text would arrive in the database.
    """

    inherit_cache = False


@compiles(RevisionText)
def _compile_revision_text(element: RevisionText, _compiler: Any, **_options: Any) -> str:
    return element.text


def escape(sql: str) -> str:
    r"""Escape colons for `sqlalchemy.text()`, which reads `:name` as a parameter and removes the `\` before a colon."""
    pattern = ":" if r"\:" in sql else "(?<!:):(?!:)"
    return re.sub(pattern, r"\\:", sql)


def quote(name: str) -> str:
    """Quote an identifier if PostgreSQL needs it."""
    return str(_PREPARER.quote(name))


def qualified(name: tuple[str | None, str]) -> str:
    """Return the quoted name of an object with its schema. The schema None is the default schema."""
    return ".".join(quote(part) for part in name if part is not None)


def literal(text: str | None) -> str:
    """Return a text as a SQL literal, or NULL."""
    return "NULL" if text is None else "'" + text.replace("'", "''") + "'"


def split_list(text: str) -> list[str]:
    """Split a list of SQL expressions at its commas, except those in parentheses, brackets and quotes."""
    parts, depth, quoted = [""], 0, ""
    for character in text:
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in "'\"":
            quoted = character
        else:
            depth += (character in "([") - (character in ")]")
        if character == "," and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]
