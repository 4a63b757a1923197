"""Read the properties of a custom resource. Collect every problem, so that one error lists all of them."""

from collections.abc import Mapping

from migrator.errors import EventError

_SHOWN = 80


class Properties:
    """The properties under one key of an event. A method that finds a bad value notes it and returns a default.

    Call `check()` after all properties have been read.
    """

    def __init__(self, event: Mapping[str, object], key: str = "ResourceProperties") -> None:
        value = event.get(key)
        self.key = key
        self.values: Mapping[str, object] = value if isinstance(value, Mapping) else {}
        self.problems: dict[str, str] = {}

    def text(self, name: str) -> str:
        """Return a text that is required."""
        value = self.values.get(name)
        if isinstance(value, str) and value:
            return value
        self.reject(name, value, "a text")
        return ""

    def optional_text(self, name: str) -> str:
        """Return a text, by default an empty one."""
        value = self.values.get(name, "")
        if isinstance(value, str):
            return value
        self.reject(name, value, "a text")
        return ""

    def texts(self, name: str) -> Mapping[str, str]:
        """Return texts by name, by default an empty mapping."""
        value = self.values.get(name, {})
        if isinstance(value, Mapping) and all(isinstance(text, str) for text in value.values()):
            return value
        self.reject(name, value, "a map of texts")
        return {}

    def names(self, name: str, *, required: bool = True) -> tuple[str, ...]:
        """Return a list of different names, which is empty if it is missing and not required."""
        value = self.values.get(name, None if required else [])
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.reject(name, value, "a list of names")
            return ()
        if len(set(value)) != len(value):
            self.reject(name, value, "a list of different names")
        return tuple(value)

    def whole_number(self, name: str, *, unit: str, default: int | None = None) -> int:
        """Return a whole number above 0, which CloudFormation sends as a text. Without a default, it is required."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) > 0:
            return int(value)
        self.reject(name, value, f"a whole number of {unit} above 0, as a text")
        return 0

    def flag(self, name: str, *, default: bool | None = None) -> bool:
        """Return a truth value, which CloudFormation sends as a text. Without a default, it is required."""
        value = self.values.get(name)
        if value is None and default is not None:
            return default
        if value not in ("true", "false"):
            self.reject(name, value, "'true' or 'false'")
        return value == "true"

    def reject(self, name: str, value: object, rule: str) -> None:
        """Note that a value breaks a rule."""
        self.problems[name] = f"{name} must be {rule} (got {shorten(value)})"

    def check(self) -> None:
        """Raise EventError if there were problems. The error lists all of them."""
        if self.problems:
            raise EventError(f"bad {self.key}: {'; '.join(self.problems.values())}")


def shorten(value: object) -> str:
    """Return a value as it is shown in messages."""
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "..."
