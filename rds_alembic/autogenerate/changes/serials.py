"""The sequence of a SERIAL column, and the next value of a sequence."""

from alembic.operations import ops

from rds_alembic.autogenerate.catalog import Column, Name, SequenceOptions, Serial
from rds_alembic.autogenerate.operations import execute
from rds_alembic.autogenerate.sequence_options import definition
from rds_alembic.autogenerate.sql_text import literal, qualified, quote


def serial_sequence(table: Name, column: Column, serial: Serial) -> list[ops.MigrateOperation]:
    """Return the operations that give a column a sequence and a default, as SERIAL does."""
    owner = f"{qualified(table)}.{quote(column.name)}"
    sequence = qualified(serial.sequence)
    create = f"CREATE SEQUENCE {sequence}{definition(serial.options)} OWNED BY {owner}"
    default = f"nextval({literal(sequence)}::regclass)"
    return [
        execute(create),
        set_next_value(table, column, serial.options),
        execute(f"ALTER TABLE {qualified(table)} ALTER COLUMN {quote(column.name)} SET DEFAULT {default}"),
    ]


def set_next_value(table: Name, column: Column, options: SequenceOptions) -> ops.ExecuteSQLOp:
    """Return the operation that lets the sequence of a column continue after the values in the column."""
    last, bound = ("max", "greatest") if options.increment > 0 else ("min", "least")
    name = quote(column.name)
    next_value = f"(SELECT {bound}({last}({name}) + {options.increment}, {options.start}) FROM {qualified(table)})"  # noqa: S608 - quoted
    sequence = f"pg_get_serial_sequence({literal(qualified(table))}, {literal(column.name)})"
    return execute(f"SELECT setval({sequence}, {next_value}, false)")
