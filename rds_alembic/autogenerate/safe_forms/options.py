"""The options of the command line: `alembic -x plain` and `alembic -x rename=old:new`."""

from collections.abc import Iterable
from dataclasses import dataclass

from alembic.config import Config
from alembic.util import CommandError

_RENAME_FORM = "old:new, table.old:new or no"


@dataclass(frozen=True)
class Options:
    """`plain` keeps Alembic's form. `renames` are the old and new names of columns, with a table or for all tables.

    `renames_answered` is true if the user has said which columns are renamed.
    """

    plain: bool = False
    renames: tuple[tuple[str | None, str, str], ...] = ()
    renames_answered: bool = False

    @classmethod
    def read(cls, config: Config | None) -> "Options":
        """Read the arguments `-x`, of which the environment of the user may have others. Raises CommandError."""
        arguments: Iterable[str] = getattr(config and config.cmd_opts, "x", None) or ()
        pairs = [argument.partition("=")[::2] for argument in arguments]
        renames = [value for name, value in pairs if name == "rename"]
        return cls(
            plain=any(name == "plain" and value.lower() not in {"0", "false", "no"} for name, value in pairs),
            renames=tuple(_parse(value) for value in renames if value != "no"),
            renames_answered=bool(renames),
        )

    def new_name(self, table: str, column: str) -> str | None:
        """Return the new name of a column, if the user renames the column."""
        return next((new for owner, old, new in self.renames if old == column and owner in {None, table}), None)


def _parse(value: str) -> tuple[str | None, str, str]:
    old, separator, new = value.partition(":")
    table, _, column = old.rpartition(".")
    if not separator or not column or not new:
        raise CommandError(f"rename must be {_RENAME_FORM} (got {value!r})")
    return table or None, column, new
