"""What is wrong with a revision, and where."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, order=True)
class Finding:
    """`rule` is squawk's name or one of ours; `advice` says what to write instead; lines count from 1."""

    path: Path
    line: int
    rule: str
    message: str
    advice: str | None = None
    end_line: int | None = None
    revision: str | None = None
