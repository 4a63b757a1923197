"""The values of a query: cut by the server, and converted from PostgreSQL's texts to JSON."""

import math

MAX_CHARACTERS = 10_000

# The object ids of types: https://github.com/postgres/postgres/blob/master/src/include/catalog/pg_type.dat
_BOOL, _BYTEA = 16, 17
_INTEGERS = frozenset({20, 21, 23, 26})
_NUMBERS = frozenset({700, 701, 1700})
# Their texts are short.
_SHORT = frozenset({_BOOL, *_INTEGERS, 700, 701, 1082, 1083, 1114, 1184, 1186, 1266, 2950})


def cut_expression(name: str, type_oid: int) -> str:
    """Return the expression for the text of a column, one character longer than a value that is cut."""
    if type_oid in _SHORT:
        return f"{name}::text"
    if type_oid == _BYTEA:
        return f"substring({name}, 1, {MAX_CHARACTERS})::text"
    return f"left({name}::text, {MAX_CHARACTERS + 1})"


def to_json(text: str | None, type_oid: int) -> object:
    """Return a number or a truth value as such if JSON can represent it, and any other value as PostgreSQL's text."""
    if text is None:
        return None
    if type_oid == _BOOL:
        return text in ("t", "true", "True")
    if type_oid in _INTEGERS:
        return int(text)
    if type_oid in _NUMBERS:
        return _number(text)
    return text[:MAX_CHARACTERS] + "…" if len(text) > MAX_CHARACTERS else text


def _number(text: str) -> object:
    """Return a number, or the text of one that JSON does not have, or whose digits a double would lose."""
    value = float(text)
    if not math.isfinite(value):
        return text
    if text.lstrip("-").isdigit():
        return int(text)
    digits = text.lower().partition("e")[0].replace(".", "").lstrip("-0")
    return value if len(digits) <= 15 else text  # noqa: PLR2004 - a double has 15 decimal digits
