"""The findings of the lint."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Finding:
    """The violation of a rule of squawk or of this project. Lines count from 1, and `end_line` is included."""

    path: Path
    line: int
    rule: str
    message: str
    advice: str | None = None
    end_line: int | None = None
    revision: str | None = None
