"""Our own rules on a revision's Python, and on the history as a whole."""

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

from review.findings import Finding
from review.history import History
from review.linting.advice import ADVICE
from review.rendering import Failure, Rendered
from review.source import Source

PACKAGES = {"alembic", "sqlalchemy"}
FOR_ANNOTATIONS = {"__future__", "collections.abc", "typing"}  # Alembic's own template imports them
NEED_DATABASE = {"is_offline_mode", "Session", "sessionmaker", "inspect"}
"""What looks into a database, or asks whether there is one."""
ANSWERED = {"execute", "scalar", "scalars", "exec_driver_sql"}
"""What may write; its answer is from a database."""
ADVICE_ON_FAILURE = {
    "NoInspectionAvailable": "A revision knows what there is: those before it have made it. Where something may be"
    " missing, pass if_exists=True or if_not_exists=True.",
    "no attribute 'commit'": ADVICE["transaction-control"],
}


def several_heads(history: History) -> Iterator[Finding]:
    """Yield one finding for two or more revisions that none follows."""
    if len(history.heads) < 2:  # noqa: PLR2004 - two or more
        return
    heads = [script for script in history.scripts if script.revision in history.heads]
    names = ", ".join(f"{script.revision} ({script.doc})" for script in heads)
    yield _finding(Source(Path(heads[-1].path), heads[-1].revision), 1, "several-heads", f"{len(heads)} heads: {names}")


def judge(source: Source, rendered: Rendered | None) -> Iterator[Finding]:
    """Yield what is wrong with the Python of a revision."""
    yield from imports(source)
    yield from missing_downgrade(source)
    if rendered is not None and rendered.failure is not None:
        yield failed(source, rendered.failure)
    else:
        yield from needs_database(source)


def imports(source: Source) -> Iterator[Finding]:
    """Yield each import of a module that may have changed when the revision runs."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = ["." * node.level + (node.module or "")]
        else:
            continue
        strange = [name for name in names if name not in FOR_ANNOTATIONS and name.partition(".")[0] not in PACKAGES]
        if strange:
            yield _finding(
                source, node.lineno, "revision-imports", f"imports {', '.join(strange)}", end_line=node.end_lineno
            )


def missing_downgrade(source: Source) -> Iterator[Finding]:
    """Yield a finding for a downgrade that leaves out what upgrade() does, and does not say why."""
    upgrade, downgrade = source.functions.get("upgrade"), source.functions.get("downgrade")
    if upgrade is None or _is_empty(upgrade):
        return
    if downgrade is None:
        yield _finding(source, upgrade.lineno, "missing-downgrade", "there is no downgrade()")
    elif _is_empty(downgrade) and not _says_why(source, downgrade):
        yield _finding(
            source, downgrade.lineno, "missing-downgrade", "downgrade() does nothing", end_line=downgrade.end_lineno
        )


def failed(source: Source, failure: Failure) -> Finding:
    """Return why a revision cannot be written as SQL."""
    text = " ".join(failure.message.split())
    advice = next((advice for part, advice in ADVICE_ON_FAILURE.items() if part in text), None)
    start, end = source.statement_at(failure.line)
    message = f"cannot be written as SQL, so the rest of it is not judged: {text}"
    return _finding(source, start, "offline", message, end_line=end, advice=advice)


def needs_database(source: Source) -> Iterator[Finding]:
    """Yield what upgrade() leaves out, or does otherwise, where no database answers, without failing there."""
    for function in _reached(source):
        lines = set[int]()
        alone = {id(node.value) for node in ast.walk(function) if isinstance(node, ast.Expr)}
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            name = _called(call)
            is_asking = name in NEED_DATABASE or (name in ANSWERED and id(call) not in alone)
            if is_asking and call.lineno not in lines:
                lines.add(call.lineno)
                message = f"{name}() has no database to ask when SQL is written: what hangs on it is not judged"
                yield _finding(
                    source, source.statement_at(call.lineno)[0], "offline", message, end_line=call.end_lineno
                )


def _reached(source: Source) -> list[ast.FunctionDef]:
    """Return upgrade() and the functions of the file that it uses, directly or not."""
    names, reached = ["upgrade"], dict[str, ast.FunctionDef]()
    while names:
        name = names.pop()
        function = source.functions.get(name)
        if function is not None and name not in reached:
            reached[name] = function
            names += [node.id for node in ast.walk(function) if isinstance(node, ast.Name)]
    return list(reached.values())


def _called(call: ast.Call) -> str | None:
    if isinstance(call.func, ast.Attribute):
        is_operation = isinstance(call.func.value, ast.Name) and call.func.value.id == "op"  # these answer nothing
        return None if is_operation else call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else None


def _is_empty(function: ast.FunctionDef) -> bool:
    """Tell whether there is nothing but `pass`, a docstring or `return`."""
    return all(
        isinstance(node, ast.Pass)
        or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
        or (isinstance(node, ast.Return) and (node.value is None or isinstance(node.value, ast.Constant)))
        for node in function.body
    )


def _says_why(source: Source, function: ast.FunctionDef) -> bool:
    """Tell whether a comment explains it, other than those that Alembic writes around generated code."""
    lines = range(function.lineno, (function.end_lineno or function.lineno) + 1)
    comments = (
        token.string
        for token in tokenize.generate_tokens(io.StringIO(source.text).readline)
        if token.type == tokenize.COMMENT and token.start[0] in lines
    )
    return any(not text.startswith("# ###") for text in comments)


def _finding(
    source: Source, line: int, rule: str, message: str, *, end_line: int | None = None, advice: str | None = None
) -> Finding:
    return Finding(source.path, line, rule, message, advice or ADVICE[rule], end_line, source.revision)
