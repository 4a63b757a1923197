"""This project's rules for the Python of revisions, and for the history."""

import ast
from collections.abc import Iterator
from pathlib import Path

from review.findings import Finding
from review.linting.advice import ADVICE
from review.rendering import Failure, RenderedRevision
from review.revision_scripts import RevisionScripts
from review.source import Source

PACKAGES = {"alembic", "sqlalchemy"}
FOR_ANNOTATIONS = {"__future__", "collections.abc", "typing"}  # the template of Alembic imports them
NEED_DATABASE = {"is_offline_mode", "Session", "sessionmaker", "inspect"}
"""The functions that read from a database, or test for a connection."""
WITH_RESULT = {"execute", "scalar", "scalars", "exec_driver_sql"}
"""The methods of a connection that need a database if the result is used."""
ADVICE_ON_FAILURE = {
    "NoInspectionAvailable": "The schema follows from the revisions before this one: do not inspect it. If an object"
    " may be missing, pass if_exists=True or if_not_exists=True.",
    "no attribute 'commit'": ADVICE["transaction-control"],
}


def several_heads(scripts: RevisionScripts) -> Iterator[Finding]:
    """Yield one finding if there are several heads."""
    if len(scripts.heads) <= 1:
        return
    heads = [script for script in scripts.revisions if script.revision in scripts.heads]
    names = ", ".join(f"{script.revision} ({script.doc})" for script in heads)
    yield _finding(Source(Path(heads[-1].path), heads[-1].revision), 1, "several-heads", f"{len(heads)} heads: {names}")


def findings(source: Source, rendered: RenderedRevision | None) -> Iterator[Finding]:
    """Yield the findings in the Python of a revision."""
    yield from imports(source)
    yield from missing_downgrade(source)
    if rendered is not None and rendered.failure is not None:
        yield failed(source, rendered.failure)
    else:
        yield from needs_database(source)


def imports(source: Source) -> Iterator[Finding]:
    """Yield a finding for each import of a module that may change after the revision is written."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        others = [name for name in names if name not in FOR_ANNOTATIONS and name.partition(".")[0] not in PACKAGES]
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


def failed(source: Source, failure: Failure) -> Finding:
    """Return the finding for a revision that cannot be rendered as SQL."""
    text = " ".join(failure.message.split())
    advice = next((advice for part, advice in ADVICE_ON_FAILURE.items() if part in text), None)
    start, end = source.statement_at(failure.line)
    message = f"the revision cannot be rendered as SQL, and the lint ends here: {text}"
    return _finding(source, start, "offline", message, end_line=end, advice=advice)


def needs_database(source: Source) -> Iterator[Finding]:
    """Yield a finding for each call in upgrade() whose result depends on a database. Rendering has no database."""
    for function in _functions_of_upgrade(source):
        lines = set[int]()
        without_use = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Expr)}
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            name = _called(call)
            needs = name in NEED_DATABASE or (name in WITH_RESULT and id(call) not in without_use)
            if needs and call.lineno not in lines:
                lines.add(call.lineno)
                message = (
                    f"{name}() needs a database, which rendering does not have: code that depends on it is not checked"
                )
                yield _finding(
                    source, source.statement_at(call.lineno)[0], "offline", message, end_line=call.end_lineno
                )


def _functions_of_upgrade(source: Source) -> list[ast.FunctionDef]:
    """Return upgrade() and the functions of the file that it uses, directly or indirectly."""
    names, used = ["upgrade"], dict[str, ast.FunctionDef]()
    while names:
        name = names.pop()
        function = source.functions.get(name)
        if function is not None and name not in used:
            used[name] = function
            names += [node.id for node in ast.walk(function) if isinstance(node, ast.Name)]
    return list(used.values())


def _called(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Attribute):
        is_operation = isinstance(call.func.value, ast.Name) and call.func.value.id == "op"  # without a result
        return None if is_operation else call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else None


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


def _finding(
    source: Source, line: int, rule: str, message: str, *, end_line: int | None = None, advice: str | None = None
) -> Finding:
    return Finding(source.path, line, rule, message, advice or ADVICE[rule], end_line, source.revision)
