"""The Python of a revision: its text, its tree, and the statements by their lines."""

import ast
import io
import tokenize
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """A revision's file."""

    path: Path
    revision: str = ""

    @cached_property
    def text(self) -> str:
        """Return what the file holds, in the encoding that it declares."""
        data = self.path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return io.TextIOWrapper(io.BytesIO(data), encoding).read()

    @cached_property
    def tree(self) -> ast.Module:
        """Return the syntax tree."""
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):  # said when Alembic imported it
            return ast.parse(self.text)

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """Return the functions at module level by their names."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def first_function(self) -> int:
        """Return the line where the first function begins, its decorators included."""
        starts = [min([f.lineno, *(d.lineno for d in f.decorator_list)]) for f in self.functions.values()]
        return min(starts, default=len(self.text))

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.stmt))
        return [(node.lineno, node.end_lineno or node.lineno) for node in nodes]

    def statement_at(self, line: int) -> tuple[int, int]:
        """Return the first and last line of the innermost statement there."""
        around = [(start, end) for start, end in self._spans if start <= line <= end]
        return min(around, key=lambda span: span[1] - span[0], default=(line, line))
