"""The reports for programs: JSON, the annotations of GitHub, SARIF."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from review.findings import Finding
from review.production import Production
from review.recording import Relation, RelationLock, Statement
from review.reports import wording
from review.rules.catalogue import rules
from review.rules.judge import Judgement
from review.text import relative

SARIF = "https://json.schemastore.org/sarif-2.1.0.json"


def plan_as_json(judgement: Judgement, production: Production) -> str:
    """Return the plan as JSON."""
    revisions = [
        {
            **_fields(recording),
            "verdict": wording.verdict(recording, production),
            "strictest_lock": str(recording.strictest) if recording.strictest else None,
            "limits": wording.limits(recording),
            "findings": judgement.findings_of(recording.revision),
            "statements": [_statement(statement, production) for statement in recording.statements],
        }
        for recording in judgement.recordings
    ]
    return _json({
        "summary": wording.summary(judgement),
        "start": judgement.start,
        "heads": judgement.heads,
        "revisions": revisions,
        "findings": judgement.findings_of(),
        "not_run": judgement.not_run,
    })  # fmt: skip


def _statement(statement: Statement, production: Production) -> dict[str, Any]:
    work = [
        {**_fields(each), "bytes": size.bytes if (size := production.size(each.table)) else None,
         "estimated_seconds": production.seconds(each)}
        for each in statement.work
    ]  # fmt: skip
    words = {"activity": wording.activity(statement, production), "who_waits": wording.waiting(statement, production)}
    return {**_fields(statement), **words, "work": work}


def findings_as_json(judgement: Judgement) -> str:
    """Return the findings and the notes as JSON."""
    return _json({"revisions": judgement.revisions, "findings": judgement.findings, "notes": judgement.notes})


def findings_as_sarif(judgement: Judgement) -> str:
    """Return the findings in the format of code scanning services: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""
    names = sorted({finding.rule for finding in judgement.findings})
    driver = {"name": "lint-sql", "rules": [{"id": name, "shortDescription": {"text": _why(name)}} for name in names]}
    results = [
        {
            "ruleId": finding.rule,
            "level": "error",
            "message": {"text": _with_advice(finding)},
            "locations": [
                {
                    "physicalLocation": {
                        "artifactLocation": {"uri": relative(finding.path)},
                        "region": {"startLine": finding.line, "endLine": finding.end_line or finding.line},
                    }
                }
            ],
        }
        for finding in judgement.findings
    ]
    return _json({"$schema": SARIF, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]})


def annotations(findings: Iterable[Finding]) -> str:
    """Return the workflow commands for annotations of the lines on GitHub.

    https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
    """
    lines = []
    for finding in findings:
        position = f"file={_property(relative(finding.path))},line={finding.line}"
        position += f",endLine={finding.end_line or finding.line},title={_property(finding.rule)}"
        lines.append(f"::error {position}::{_data(_with_advice(finding))}\n")
    return "".join(lines)


def _why(name: str) -> str:
    return rules()[name].why if name in rules() else f"A rule of squawk: https://squawkhq.com/docs/{name}"


def _with_advice(finding: Finding) -> str:
    return "\n".join(filter(None, [finding.message, finding.advice]))


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False, default=_fields) + "\n"


def _fields(value: Any) -> Any:
    """Return a value as JSON has it: relations and paths as texts, other values as objects."""
    match value:
        case Relation():
            return value.qualified
        case RelationLock():
            return {"relation": value.relation.qualified, "kind": value.relation.kind, "mode": str(value.mode)}
        case Path():
            return relative(value)
    return {name: getattr(value, name) for name in value.__dataclass_fields__}
