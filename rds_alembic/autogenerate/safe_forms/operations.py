"""The operations that Alembic does not have, and the Python that is rendered from them."""

import re
from collections.abc import Sequence
from textwrap import dedent, fill, indent
from typing import Any

from alembic.autogenerate import render_op_text, renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from sqlalchemy.sql.elements import conv

_WIDTH = 110
# SQLAlchemy reads these as parameters: sqlalchemy.sql.elements.TextClause.
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w+(?!:))")


class Call(ops.MigrateOperation):
    """A call of a function of `op`. Arguments that are None are omitted."""

    def __init__(self, function: str, *arguments: object, **keywords: object) -> None:
        self.function = function
        self.arguments = arguments
        self.keywords = {name: value for name, value in keywords.items() if value is not None}

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the difference that `alembic check` shows."""
        return (self.function, *self.arguments)


class NotValid(ops.MigrateOperation):
    """The addition of a constraint that existing rows are not checked against."""

    def __init__(self, addition: ops.AddConstraintOp) -> None:
        self.addition = addition

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the difference that `alembic check` shows."""
        return self.addition.to_diff_tuple()


class Commented(ops.OpContainer):
    """Operations with a comment above them."""

    def __init__(self, comment: str, *operations: ops.MigrateOperation) -> None:
        super().__init__(operations)
        self.comment = comment


class Autocommit(ops.OpContainer):
    """Operations of which each is a transaction."""


class Nothing(ops.MigrateOperation):
    """The body of a function without statements, and the reason."""

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the difference that `alembic check` shows."""
        return ("nothing", self.reason)


class Docstring(ops.MigrateOperation):
    """The docstring of upgrade() or downgrade()."""

    def __init__(self, summary: str, paragraphs: Sequence[str] = ()) -> None:
        self.summary = summary
        self.paragraphs = paragraphs

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the difference that `alembic check` shows."""
        return ("docstring", self.summary)


def execute(sql: str) -> Call:
    """Return the call of `op.execute()` for SQL without parameters."""
    return Call("execute", _PARAMETER.sub(r"\\:", dedent(sql).strip()))


@renderers.dispatch_for(Call)
def _render_call(context: AutogenContext, call: Call) -> str:
    arguments = [_literal(context, value) for value in call.arguments]
    arguments += [f"{name}={_literal(context, value)}" for name, value in call.keywords.items()]
    return f"{_prefix(context)}{call.function}({', '.join(arguments)})"


@renderers.dispatch_for(NotValid)
def _render_not_valid(context: AutogenContext, operation: NotValid) -> str:
    """Render the addition with its argument: the renderer of Alembic 1.13 ignores dialect arguments."""
    text = render_op_text(context, operation.addition)
    return text if "postgresql_not_valid" in text else f"{text.rstrip().removesuffix(')')}, postgresql_not_valid=True)"


@renderers.dispatch_for(Commented)
def _render_commented(context: AutogenContext, container: Commented) -> str:
    return f"{indent(container.comment, '# ')}\n{_render_all(context, container)}"


@renderers.dispatch_for(Autocommit)
def _render_autocommit(context: AutogenContext, container: Autocommit) -> str:
    block = f"with {_prefix(context)}get_context().autocommit_block():"
    return f"{block}\n{indent(_render_all(context, container), '    ')}"


@renderers.dispatch_for(Nothing)
def _render_nothing(_context: AutogenContext, nothing: Nothing) -> str:
    return f"pass  # {nothing.reason}"


@renderers.dispatch_for(Docstring)
def _render_docstring(_context: AutogenContext, docstring: Docstring) -> str:
    paragraphs = [fill(text, _WIDTH, break_on_hyphens=False) for text in (docstring.summary, *docstring.paragraphs)]
    text = "\n\n".join(paragraphs).replace("\\", "\\\\").replace('"', r"\"")
    return f'"""{text}\n"""' if len(paragraphs) > 1 else f'"""{text}"""'


def _render_all(context: AutogenContext, container: ops.OpContainer) -> str:
    return "\n".join(render_op_text(context, operation) for operation in container.ops)


def _literal(context: AutogenContext, value: object) -> str:
    if isinstance(value, conv):
        return f"{_prefix(context)}f({str(value)!r})"
    if isinstance(value, str) and "\n" in value and '"""' not in value:
        escaped = value.replace("\\", "\\\\")
        return f'"""\n{indent(escaped, "    ")}\n"""'
    return repr(str(value)) if isinstance(value, str) else repr(value)


def _prefix(context: AutogenContext) -> str:
    return str(context.opts.get("alembic_module_prefix") or "op.")
