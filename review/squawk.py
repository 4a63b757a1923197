"""Squawk, run over many pieces of SQL at once. https://squawkhq.com."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from review.errors import ReviewError

PROGRAM = Path(sys.executable).with_name("squawk")


@dataclass(frozen=True)
class Report:
    """One of squawk's findings; `line` counts from 1 in the piece of SQL."""

    rule: str
    message: str
    advice: str | None
    line: int


def run(pieces: Sequence[str], *options: str) -> list[list[Report]]:
    """Judge each piece of SQL as a file of its own; returns the reports on each, in the order of lines."""
    if not pieces:
        return []
    with TemporaryDirectory(prefix="squawk-") as folder:
        files = [Path(folder, f"{number}.sql") for number in range(len(pieces))]
        for file, piece in zip(files, pieces, strict=True):
            # Squawk's own comment needs no reason: a finding is acknowledged in the revision, with one.
            text = piece.replace("squawk-ignore", "squawk ignored")
            file.write_text(text, encoding="utf-8", errors="replace")
        reports: dict[str, list[Report]] = {str(file): [] for file in files}
        for found in _run(["--reporter", "json", *options, f"{folder}/*.sql"]):
            report = Report(found["rule_name"], found["message"], found["help"], found["line"] + 1)
            reports[found["file"]].append(report)
    return [sorted(reports[str(file)], key=lambda report: report.line) for file in files]


def _run(arguments: list[str]) -> list[dict[str, Any]]:
    ran = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(ran.stdout)
    except ValueError as exc:
        raise ReviewError(f"squawk failed: {(ran.stderr or ran.stdout).strip()}") from exc
    return found
