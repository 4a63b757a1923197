"""The trigger that synchronizes a column and its successor."""

from alembic.operations import ops
from sqlalchemy.sql.elements import conv

from rds_alembic.autogenerate.safe_forms.database import Table
from rds_alembic.autogenerate.safe_forms.forms import Forms
from rds_alembic.autogenerate.safe_forms.names import shorten
from rds_alembic.autogenerate.safe_forms.operations import Commented, execute
from rds_alembic.autogenerate.safe_forms.steps import Operations

_FUNCTION = """
CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{body}
    RETURN NEW;
END $$
"""
_FORWARD = "    NEW.{new} := (SELECT {value} FROM (SELECT NEW.*) AS {alias});"
_BOTH_WAYS = """\
    IF TG_OP = 'INSERT' THEN
        NEW.{new} := coalesce(NEW.{new}, NEW.{old});
        NEW.{old} := NEW.{new};
    ELSIF NEW.{new} IS DISTINCT FROM OLD.{new} THEN
        NEW.{old} := NEW.{new};
    ELSE
        NEW.{new} := NEW.{old};
    END IF;"""
_TRIGGER = """
CREATE TRIGGER {trigger} BEFORE INSERT OR UPDATE ON {table}
FOR EACH ROW EXECUTE FUNCTION {function}()
"""


def trigger_name(table: Table, column: str) -> conv:
    """Return the name of the trigger for a column, and of its function."""
    return shorten(f"{table.name}_{column}_in_step")


def create_forward(forms: Forms, table: Table, old: str, new: str, *, value: str) -> Operations:
    """Return the operations that let a trigger set the column `new` to an expression."""
    body = _FORWARD.format(new=forms.quote(new), value=value, alias=forms.quote(table.name))
    return _create(forms, table, old, body)


def create_both_ways(forms: Forms, table: Table, old: str, new: str) -> Operations:
    """Return the operations that let a trigger keep two columns equal, of which the code writes either."""
    return _create(forms, table, old, _BOTH_WAYS.format(new=forms.quote(new), old=forms.quote(old)))


def _create(forms: Forms, table: Table, column: str, body: str) -> Operations:
    name = trigger_name(table, column)
    function = forms.database.identifier(Table(table.schema, name))
    names = {"trigger": forms.quote(name), "table": forms.database.identifier(table), "function": function}
    return execute(_FUNCTION.format(function=function, body=body)), execute(_TRIGGER.format(**names))


def drop(forms: Forms, table: Table, trigger: str) -> Operations:
    """Return the operations that drop a trigger and its function."""
    function = forms.database.identifier(Table(table.schema, trigger))
    drop_function: ops.MigrateOperation = execute(f"DROP FUNCTION {function}()")
    return (
        execute(f"DROP TRIGGER {forms.quote(trigger)} ON {forms.database.identifier(table)}"),
        Commented("lint-sql: ignore[ban-drop-function] only the trigger called it", drop_function),
    )
