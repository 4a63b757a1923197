"""The Python source of a revision: text, syntax tree, and the lines of its statements."""

import ast
import io
import tokenize
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """The file of a revision."""

    path: Path
    revision: str = ""

    @cached_property
    def text(self) -> str:
        """Return the text, decoded as the file declares."""
        data = self.path.read_bytes()
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return io.TextIOWrapper(io.BytesIO(data), encoding).read()

    @cached_property
    def tree(self) -> ast.Module:
        """Return the syntax tree."""
        with warnings.catch_warnings(action="ignore", category=SyntaxWarning):  # shown when Alembic imports the file
            return ast.parse(self.text)

    @cached_property
    def functions(self) -> dict[str, ast.FunctionDef]:
        """Return the functions at module level, by name."""
        return {node.name: node for node in self.tree.body if isinstance(node, ast.FunctionDef)}

    @cached_property
    def first_function(self) -> int:
        """Return the first line of the first function, with its decorators."""
        starts = [min([f.lineno, *(d.lineno for d in f.decorator_list)]) for f in self.functions.values()]
        return min(starts, default=len(self.text))

    @cached_property
    def comments(self) -> list[tokenize.TokenInfo]:
        """Return the comments."""
        tokens = tokenize.generate_tokens(io.StringIO(self.text).readline)
        return [token for token in tokens if token.type == tokenize.COMMENT]

    @cached_property
    def _spans(self) -> list[tuple[int, int]]:
        nodes = (node for node in ast.walk(self.tree) if isinstance(node, ast.stmt))
        return [(node.lineno, node.end_lineno or node.lineno) for node in nodes]

    def statement_at(self, line: int) -> tuple[int, int]:
        """Return the first and the last line of the innermost statement that contains a line."""
        around = [(start, end) for start, end in self._spans if start <= line <= end]
        return min(around, key=lambda span: span[1] - span[0], default=(line, line))
