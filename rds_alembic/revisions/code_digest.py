"""A digest of Python code that ignores comments, docstrings and layout.

The lint compares it with the digests of frozen revisions. The migrator compares it with those of applied revisions.
"""

import ast
import hashlib
from typing import Any

from rds_alembic.revisions.syntax import parse


def code_digest(code: bytes | str | ast.Module) -> str:
    """Return the sha256 of the code's syntax tree, hexadecimal. Bytes may declare their encoding.

    Raises SyntaxError for code that is not valid Python.
    """
    tree = code if isinstance(code, ast.Module) else parse(code)
    return hashlib.sha256(_serialize(tree).encode(errors="surrogatepass")).hexdigest()


def _serialize(node: Any) -> str:
    """Return a syntax tree as text, without empty fields, because newer versions of Python add fields."""
    if isinstance(node, list):
        return f"[{' '.join(map(_serialize, node))}]"
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!a}"  # repr() depends on the version of Unicode
    if not isinstance(node, ast.AST):
        return ascii(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name not in {"ctx", "type_comment"}}
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        fields["body"] = _without_docstring(node.body)
    texts = [f"{name}={_serialize(value)}" for name, value in sorted(fields.items()) if value not in (None, [])]
    return f"{type(node).__name__}({' '.join(texts)})"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_docstring and isinstance(first.value.value, str) else body  # type: ignore[union-attr]
