"""A digest of Python code that ignores comments, docstrings and layout.

The lint compares frozen revisions by it, and the stack tells the migrator by it which applied revisions were edited.
"""

import ast
import hashlib
from typing import Any


def code_digest(code: bytes | str | ast.Module) -> str:
    """Return the sha256 of the code's syntax tree, hexadecimal; bytes may declare their encoding.

    Raises SyntaxError for code that is not Python.
    """
    tree = code if isinstance(code, ast.Module) else ast.parse(code)
    return hashlib.sha256(_serialize(tree).encode(errors="surrogatepass")).hexdigest()


def _serialize(node: Any) -> str:
    """Write a syntax tree as text. Empty fields are left out, because newer versions of Python add fields."""
    if isinstance(node, list):
        return f"[{' '.join(map(_serialize, node))}]"
    if isinstance(node, ast.Constant):
        return f"{type(node.value).__name__}:{node.value!r}"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = {name: value for name, value in ast.iter_fields(node) if name not in {"ctx", "type_comment"}}
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        fields["body"] = _without_docstring(node.body)
    written = [f"{name}={_serialize(value)}" for name, value in sorted(fields.items()) if value not in (None, [])]
    return f"{type(node).__name__}({' '.join(written)})"


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return body[1:] if is_docstring and isinstance(first.value.value, str) else body  # type: ignore[union-attr]
