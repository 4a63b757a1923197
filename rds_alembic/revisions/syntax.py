"""Parse the user's Python code with the grammar of the functions, although synth may run on another version."""

import ast
import sys
from pathlib import Path

from rds_alembic.errors import RdsAlembicError

GRAMMAR = (3, 13)


def parse(code: bytes | str, name: str = "<unknown>") -> ast.Module:
    """Return the syntax tree. Raises SyntaxError or ValueError.

    A newer Python rejects most of the syntax that Python 3.13 lacks. An older Python rejects the syntax that it lacks
    itself. https://docs.python.org/3/library/ast.html#ast.parse
    """
    return ast.parse(code, name, feature_version=GRAMMAR)


def parse_file(path: Path) -> ast.Module:
    """Return the syntax tree of a file. Raises RdsAlembicError for a file that cannot be parsed."""
    try:
        return parse(path.read_bytes(), str(path))
    except (SyntaxError, ValueError) as exc:
        advice = ": if the file needs Python 3.13, run synth on Python 3.13" if sys.version_info < GRAMMAR else ""
        raise RdsAlembicError(f"cannot read {path}: {type(exc).__name__}: {exc}{advice}") from exc
