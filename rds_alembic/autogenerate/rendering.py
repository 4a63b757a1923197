"""The operations that Alembic lacks or does not render completely, rendered as calls that plain Alembic runs."""

from collections.abc import Iterable, Sequence
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops


class AutocommitOps(ops.OpContainer):
    """Operations outside of the revision's transaction: each is committed at once."""

    def reverse(self) -> "AutocommitOps":
        """Return the same operations: the planner writes the downgrade on its own."""
        return self


class AlterColumnOp(ops.AlterColumnOp):
    """Alembic's operation, rendered with its `postgresql_using`."""


class CreatePrimaryKeyOp(ops.CreatePrimaryKeyOp):
    """Alembic's operation, which Alembic does not render."""


class CreateCheckConstraintOp(ops.CreateCheckConstraintOp):
    """Alembic's operation, which Alembic renders since 1.19."""


class DropConstraintOp(ops.DropConstraintOp):
    """Alembic's operation, without the constraint that Alembic needs for the reverse operation."""

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """Return the difference for `alembic check`."""
        return ("remove_constraint", self.schema, self.table_name, self.constraint_name)


class NoWayBack(ops.ExecuteSQLOp):
    """The downgrade of a change that cannot be undone: rendered as `raise NotImplementedError` with the reason."""


@renderers.dispatch_for(CreateCheckConstraintOp)
def _render_check(context: AutogenContext, operation: CreateCheckConstraintOp) -> str:
    prefix = context.opts["alembic_module_prefix"] or ""
    options = {"schema": operation.schema} if operation.schema else {}
    keywords = "".join(f", {name}={value!r}" for name, value in (options | operation.kw).items())
    name = f"{prefix}f({str(operation.constraint_name)!r})"
    return f"{prefix}create_check_constraint({name}, {operation.table_name!r}, {str(operation.condition)!r}{keywords})"


@renderers.dispatch_for(NoWayBack)
def _render_no_way_back(_context: AutogenContext, operation: NoWayBack) -> str:
    return f"raise NotImplementedError({operation.sqltext!r})"


@renderers.dispatch_for(AutocommitOps)
def _render_autocommit(context: AutogenContext, operation: AutocommitOps) -> list[str]:
    prefix = context.opts["alembic_module_prefix"] or ""
    lines = [line for item in operation.ops for line in _lines(renderers.dispatch(item)(context, item))]
    return [f"with {prefix}get_context().autocommit_block():", *(f"    {line}" for line in lines), ""]


@renderers.dispatch_for(AlterColumnOp)
def _render_alter_column(context: AutogenContext, operation: AlterColumnOp) -> str:
    rendered = str(renderers.dispatch(_plain(operation))(context, operation))
    using = operation.kw.get("postgresql_using")
    return rendered if using is None else f"{rendered[:-1]}, postgresql_using={using!r})"


@renderers.dispatch_for(CreatePrimaryKeyOp)
def _render_primary_key(context: AutogenContext, operation: CreatePrimaryKeyOp) -> str:
    prefix = context.opts["alembic_module_prefix"] or ""
    schema = f", schema={operation.schema!r}" if operation.schema else ""
    name = f"{prefix}f({str(operation.constraint_name)!r})"
    return f"{prefix}create_primary_key({name}, {operation.table_name!r}, {list(operation.columns)!r}{schema})"


def _lines(rendered: str | Sequence[str]) -> Iterable[str]:
    return [rendered] if isinstance(rendered, str) else rendered


def _plain(operation: AlterColumnOp) -> ops.AlterColumnOp:
    return ops.AlterColumnOp(operation.table_name, operation.column_name)
