"""Check the name and the arguments of a command. Nothing that a caller sends is used before."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from migrator.errors import EventError
from migrator.properties import shorten

type Answer = dict[str, object]


@dataclass(frozen=True)
class Text:
    """A text of at most `longest` characters. Without a default, it is required and not empty."""

    default: str | None = None
    longest: int = 200

    @property
    def rule(self) -> str:
        """The rule in an error message."""
        return f"a text of 1 to {self.longest} characters"

    def accepts(self, value: object) -> bool:
        """Return whether a value follows the rule."""
        return isinstance(value, str) and 0 < len(value) <= self.longest and "\0" not in value


@dataclass(frozen=True)
class Number:
    """A whole number between `least` and `most`. Without a default, it is required."""

    least: int
    most: int
    default: int | None = None

    @property
    def rule(self) -> str:
        """The rule in an error message."""
        return f"a whole number between {self.least} and {self.most}"

    def accepts(self, value: object) -> bool:
        """Return whether a value follows the rule."""
        return isinstance(value, int) and not isinstance(value, bool) and self.least <= value <= self.most


@dataclass(frozen=True)
class Flag:
    """True or false."""

    default: bool = False
    rule: str = "true or false"

    def accepts(self, value: object) -> bool:
        """Return whether a value follows the rule."""
        return isinstance(value, bool)


@dataclass(frozen=True)
class Texts:
    """A list of at most `most` texts."""

    most: int = 100
    default: tuple[str, ...] = ()

    @property
    def rule(self) -> str:
        """The rule in an error message."""
        return f"a list of up to {self.most} texts"

    def accepts(self, value: object) -> bool:
        """Return whether a value follows the rule."""
        return isinstance(value, list) and len(value) <= self.most and all(map(Text().accepts, value))


@dataclass(frozen=True)
class Numbers:
    """A list of at most `most` whole numbers above 0."""

    most: int = 100
    default: tuple[int, ...] = ()

    @property
    def rule(self) -> str:
        """The rule in an error message."""
        return f"a list of up to {self.most} whole numbers"

    def accepts(self, value: object) -> bool:
        """Return whether a value follows the rule."""
        return isinstance(value, list) and len(value) <= self.most and all(map(Number(1, 2**31).accepts, value))


type Parameter = Text | Number | Flag | Texts | Numbers


@dataclass(frozen=True)
class Command[Context]:
    """A command: its function, and the parameters of the function by name."""

    run: Callable[..., Answer]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)


def run_command[Context](
    commands: Mapping[str, Command[Context]], context: Context, event: Mapping[str, object]
) -> Answer:
    """Run the command of an event. Raises EventError that lists every problem of the event.

    An event has the name `command`, and `arguments` by name.
    """
    name, arguments = event.get("command"), event.get("arguments") or {}
    if not isinstance(name, str) or name not in commands:
        raise EventError(f"command must be one of {', '.join(sorted(commands))} (got {shorten(name)})")
    if not isinstance(arguments, Mapping):
        raise EventError(f"arguments must be a map (got {shorten(arguments)})")
    command = commands[name]
    return command.run(context, **check_arguments(command.parameters, arguments))


def check_arguments(parameters: Mapping[str, Parameter], arguments: Mapping[str, object]) -> dict[str, Any]:
    """Return the value of each parameter. Raises EventError that lists every problem."""
    problems = [f"{name} must be omitted (got {shorten(arguments[name])})" for name in arguments.keys() - parameters]
    values = {}
    for name, parameter in parameters.items():
        value = arguments.get(name)
        values[name] = parameter.default if value is None else value
        if not (values[name] == parameter.default and parameter.default is not None) and not parameter.accepts(value):
            problems.append(f"{name} must be {parameter.rule} (got {shorten(value)})")
    if problems:
        raise EventError(f"bad arguments: {'; '.join(sorted(problems))}")
    return values
