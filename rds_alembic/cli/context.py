"""The settings of a deployment: the context of the CDK app in a folder, or else environment variables."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from rds_alembic.errors import RdsAlembicError

VARIABLE_PREFIX = "PRIVATE_DATABASE_"
"""The start of the names of environment variables, as in the example's app.py."""


class Settings:
    """The texts of the settings, by the names that they have in the context."""

    def __init__(self, folder: Path, context: Iterable[str], environ: Mapping[str, str]) -> None:
        """Read `KEY=VALUE` in `context`, cdk.json, cdk.context.json and ~/.cdk.json. The first value of a key counts.

        The CDK CLI has the same order. Raises RdsAlembicError for a malformed value or file.
        """
        self._environ = environ
        self._values: dict[str, object] = {}
        configurations = (folder / "cdk.json", Path.home() / ".cdk.json")
        in_cdk_json, in_home = (_read(path).get("context") for path in configurations)
        for values in (dict(map(_split, context)), in_cdk_json, _read(folder / "cdk.context.json"), in_home):
            if isinstance(values, Mapping):
                self._values = {**values, **self._values}

    def get(self, key: str, default: str = "") -> str:
        """Return the value of a setting."""
        value = self._values.get(key)
        if value is None:
            value = self._environ.get(VARIABLE_PREFIX + key.replace("-", "_").upper(), default)
        return str(value)


def _split(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise RdsAlembicError(f"-c must be KEY=VALUE (got {text!r})")
    return key, value


def _read(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as exc:
        raise RdsAlembicError(f"{path} must be a JSON file: {exc}") from exc
    return content if isinstance(content, dict) else {}
