"""Squawk's rules for the SQL that was sent, without those that the recording or a matter of taste replaces."""

import os
import tomllib
from collections.abc import Iterable, Iterator

from review.findings import Finding
from review.recording import RevisionRecording, Statement
from review.revision_scripts import RevisionScripts
from review.rules import squawk
from review.rules.catalogue import advice_of

CONFIG = ".squawk.toml"
SQL_LENGTH = 80  # characters of SQL in a message

# The recording shows what these rules estimate from the text of a statement. The migrator sets the timeouts.
OBSERVED = frozenset({
    "adding-field-with-default", "adding-foreign-key-constraint", "adding-not-nullable-field",
    "adding-serial-primary-key-field", "ban-alter-domain-with-add-constraint",
    "ban-concurrent-index-creation-in-transaction", "ban-uncommitted-transaction", "changing-column-type",
    "constraint-missing-not-valid", "disallowed-unique-constraint", "prefer-repack", "prefer-robust-stmts",
    "require-concurrent-index-creation", "require-concurrent-reindex", "require-lock-timeout",
    "require-statement-timeout", "syntax-error", "transaction-nesting",
})  # fmt: skip
TASTE = frozenset({
    "ban-char-field", "ban-create-domain-with-constraint", "prefer-bigint-over-int", "prefer-bigint-over-smallint",
    "prefer-identity", "prefer-text-field", "prefer-timestamp-tz", "prefer-timestamptz", "require-enum-value-ordering",
    "require-table-schema",
})  # fmt: skip


def findings(scripts: RevisionScripts, recordings: Iterable[RevisionRecording]) -> Iterator[Finding]:
    """Yield squawk's findings. One call of squawk has a file for each statement.

    The rules in `included_rules` of .squawk.toml apply in any case. Raises ReviewError if squawk fails.
    """
    config = scripts.ini.with_name(CONFIG)
    included = tomllib.loads(config.read_text()).get("included_rules", []) if config.is_file() else []
    # Without --config, squawk searches the parent folders for a file.
    options = ["--config", str(config) if config.is_file() else os.devnull, "--assume-in-transaction"]
    statements = [(recording, item) for recording in recordings for item in recording.statements if not item.error]
    results = squawk.run([f"{statement.sql}\n;" for _, statement in statements], *options)
    for (recording, statement), reports in zip(statements, results, strict=True):
        for report in reports:
            if report.rule in included or (report.rule not in OBSERVED | TASTE and _affects_others(statement)):
                yield _finding(recording, statement, report)


def _affects_others(statement: Statement) -> bool:
    """Tell whether the statement changed more than the objects that the revision itself created."""
    return bool(statement.locks) or not statement.touches_new


def _finding(recording: RevisionRecording, statement: Statement, report: squawk.Report) -> Finding:
    sql = " ".join(statement.sql.split())
    sql = sql if len(sql) <= SQL_LENGTH else f"{sql[: SQL_LENGTH - 1]}…"
    message = f"{' '.join(report.message.split())} In: {sql}"
    advice = advice_of(report.rule) or report.advice
    return Finding(recording.path, statement.line, report.rule, message, advice, statement.end_line, recording.revision)
