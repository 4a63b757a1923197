"""The texts that the lint and the plan share."""

from pathlib import Path


def relative(path: Path) -> str:
    """Return a path, relative to the current folder if it is below."""
    folder = Path.cwd()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def count(number: int, noun: str) -> str:
    """Return `1 finding` or `2 findings`."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
