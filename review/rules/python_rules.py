"""This project's rules for the Python of revisions, and for the history."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from review.findings import Finding
from review.revision_scripts import RevisionScripts
from review.rules.catalogue import advice_of
from review.source import Source

PACKAGES = {"alembic", "sqlalchemy", *sys.stdlib_module_names}


def several_heads(scripts: RevisionScripts) -> Iterator[Finding]:
    """Yield one finding if there are several heads."""
    if len(scripts.heads) <= 1:
        return
    heads = [script for script in scripts.revisions if script.revision in scripts.heads]
    names = ", ".join(f"{script.revision} ({script.doc})" for script in heads)
    yield _finding(Source(Path(heads[-1].path), heads[-1].revision), 1, "several-heads", f"{len(heads)} heads: {names}")


def findings(source: Source) -> Iterator[Finding]:
    """Yield the findings in the Python of a revision."""
    yield from imports(source)
    yield from missing_downgrade(source)


def imports(source: Source) -> Iterator[Finding]:
    """Yield a finding for each import of a module that may change after the revision is written."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        others = [name for name in names if name.partition(".")[0] not in PACKAGES]
        if others:
            yield _finding(
                source, node.lineno, "revision-imports", f"imports {', '.join(others)}", end_line=node.end_lineno
            )


def missing_downgrade(source: Source) -> Iterator[Finding]:
    """Yield a finding for a downgrade() that is missing, or is empty without a comment."""
    upgrade, downgrade = source.functions.get("upgrade"), source.functions.get("downgrade")
    if upgrade is None or _is_empty(upgrade):
        return
    if downgrade is None:
        yield _finding(source, upgrade.lineno, "missing-downgrade", "there is no downgrade()")
    elif _is_empty(downgrade) and not _has_comment(source, downgrade):
        yield _finding(
            source, downgrade.lineno, "missing-downgrade", "downgrade() does nothing", end_line=downgrade.end_lineno
        )


def _is_empty(function: ast.FunctionDef) -> bool:
    """Tell whether the body is only `pass`, a docstring or `return`."""
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Return) and (node.value is None or isinstance(node.value, ast.Constant)))
        for node in function.body
    )


def _has_comment(source: Source, function: ast.FunctionDef) -> bool:
    """Tell whether the function has a comment besides those that Alembic writes around generated code."""
    lines = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    return any(token.start[0] in lines and not token.string.startswith("# ###") for token in source.comments)


def _finding(source: Source, line: int, rule: str, message: str, *, end_line: int | None = None) -> Finding:
    return Finding(source.path, line, rule, message, advice_of(rule), end_line, source.revision)
