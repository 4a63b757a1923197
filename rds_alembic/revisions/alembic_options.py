"""The options in alembic.ini and in the table `tool.alembic` of pyproject.toml, read as Alembic 1.20 reads them.

Synth does not use Alembic's own class, because the user may have an older version, and Alembic 1.13 to 1.15 read
alembic.ini only. https://alembic.sqlalchemy.org/en/latest/tutorial.html#editing-the-ini-file
"""

import configparser
import os
import re
import tomllib
from pathlib import Path
from typing import Any

from rds_alembic.errors import RdsAlembicError

_SECTION = "alembic"
_SEPARATORS = {"space": " ", "newline": "\n", "os": os.pathsep, ":": ":", ";": ";"}


class AlembicOptions:
    """The options of the project in a folder. An option of alembic.ini replaces the one of pyproject.toml.

    `files` are the files with options. The methods raise ValueError for a value that Alembic cannot use.
    """

    def __init__(self, folder: Path) -> None:
        """Read the files. Raises RdsAlembicError if one cannot be read."""
        ini, toml = folder / "alembic.ini", folder / "pyproject.toml"
        self._arguments = {"here": folder.as_posix()}
        self._ini, self._toml = configparser.ConfigParser(self._arguments), _read_table(toml)
        try:
            self._ini.read(ini, encoding="utf-8")
        except (configparser.Error, ValueError) as exc:
            raise RdsAlembicError(f"cannot read {ini}: {exc}") from exc
        self.files = [ini] * ini.is_file() + [toml] * (self._toml is not None)

    def get(self, name: str) -> Any:
        """Return the value of an option, with `%(here)s` replaced, or None."""
        try:
            if self._ini.has_option(_SECTION, name):
                return self._ini.get(_SECTION, name)
        except configparser.Error as exc:
            raise ValueError(str(exc)) from exc
        return self._replace_arguments((self._toml or {}).get(name))

    def flag(self, name: str) -> bool:
        """Return whether an option is set to true."""
        return self.get(name) in {"true", True}

    def paths(self, name: str, *, separators: tuple[str, ...], default: str) -> list[str]:
        """Return a list of paths.

        In alembic.ini, the first of the options `separators` that is set names the separator. If no option is set, the
        regular expression `default` is the separator.
        """
        value = self.get(name)
        if isinstance(value, list):
            return value
        choice = next(filter(None, map(self.get, separators)), None)
        if choice is not None and choice not in _SEPARATORS:
            raise ValueError(f"path_separator must be one of {', '.join(_SEPARATORS)} (got {choice!r})")
        parts = re.split(re.escape(_SEPARATORS[choice]) if choice else default, value or "")
        return [part.strip() for part in parts if part.strip()]

    def _replace_arguments(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._replace_arguments(item) for item in value]
        return value % self._arguments if isinstance(value, str) else value


def _read_table(toml: Path) -> dict[str, Any] | None:
    if not toml.is_file():
        return None
    try:
        table: dict[str, Any] | None = tomllib.loads(toml.read_text(encoding="utf-8")).get("tool", {}).get("alembic")
    except ValueError as exc:
        raise RdsAlembicError(f"cannot read {toml}: {exc}") from exc
    return table
