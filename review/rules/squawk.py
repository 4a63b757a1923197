"""The run of squawk over many texts of SQL in one call. https://squawkhq.com."""

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
    """A finding of squawk. `line` counts from 1 in the text of SQL."""

    rule: str
    message: str
    advice: str | None
    line: int


def run(texts: Sequence[str], *options: str) -> list[list[Report]]:
    """Check each text of SQL as a file of its own. Return the reports on each text, by line."""
    if not texts:
        return []
    with TemporaryDirectory(prefix="squawk-") as folder:
        files = [Path(folder, f"{number}.sql") for number in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            # A comment of squawk suppresses a finding without a reason. A suppression in the revision has a reason.
            file.write_text(text.replace("squawk-ignore", "squawk ignored"), encoding="utf-8", errors="replace")
        reports: dict[str, list[Report]] = {str(file): [] for file in files}
        for item in _run(["--reporter", "json", *options, f"{folder}/*.sql"]):
            report = Report(item["rule_name"], item["message"], item["help"], item["line"] + 1)
            reports[item["file"]].append(report)
    return [sorted(reports[str(file)], key=lambda report: report.line) for file in files]


def _run(arguments: list[str]) -> list[dict[str, Any]]:
    process = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    try:
        reports: list[dict[str, Any]] = json.loads(process.stdout)
    except ValueError as exc:
        raise ReviewError(f"squawk failed: {(process.stderr or process.stdout).strip()}") from exc
    return reports
