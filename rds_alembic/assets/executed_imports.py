"""The import statements of a module that run when the module is imported, or when one of its functions is called."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

_HANDLES_MISSING_MODULE = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
_NOT_IN_AN_UPGRADE = {"TYPE_CHECKING", "is_offline_mode", "__name__"}

_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Import:
    """One import statement: the absolute name of the module, and the names that are imported from the module."""

    module: str
    names: tuple[str, ...]
    line: int


def executed_imports(tree: ast.Module, *, functions: Sequence[str] = (), package: str = "") -> list[Import]:
    """Return the imports that run when the module is imported and then `functions` are called, in the order of lines.

    A function of the module counts as called if code that runs names it. Code that perhaps does not run does not count,
    because a wrong report would block a deployment: code below `if`, imports below `with`, and a `try` that handles a
    missing module. The `else` of a condition that is false in an upgrade counts, for example of
    `if context.is_offline_mode():`. Relative imports start from `package`.
    """
    defined = {node.name: node for node in tree.body if isinstance(node, _Function)}
    called = [name for name in functions if name in defined]
    imports: list[Import] = []
    pending: list[ast.AST] = list(chain(tree.body, *(defined[name].body for name in called)))
    while pending:
        node = pending.pop()
        match node:
            case ast.Import(names=aliases):
                imports += [Import(alias.name, (), node.lineno) for alias in aliases]
            case ast.ImportFrom():
                imports += _import_from(node, package)
            case ast.Name(id=name) if name in defined and name not in called:
                called.append(name)
                pending += defined[name].body
        pending += _executed_children(node)
    return sorted(imports, key=lambda statement: statement.line)


def _import_from(node: ast.ImportFrom, package: str) -> list[Import]:
    parts = [node.module] if node.module else []
    if node.level:
        parents = package.split(".")
        parts = parents[: len(parents) - node.level + 1] + parts
    module = ".".join(part for part in parts if part)
    names = tuple(alias.name for alias in node.names)
    return [Import(module, names, node.lineno)] if module else []


def _executed_children(node: ast.AST) -> Iterable[ast.AST]:
    children: Iterable[ast.AST]
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            children = [*node.decorator_list, *node.args.defaults]
        case ast.Lambda():
            children = node.args.defaults
        case ast.If(test=test, orelse=orelse) if _is_false_in_an_upgrade(test):
            children = orelse
        case ast.If(test=ast.UnaryOp(op=ast.Not(), operand=test), body=body) if _is_false_in_an_upgrade(test):
            children = body
        case ast.If(test=test):
            children = [test]
        case ast.Try(handlers=handlers) if any(_handles_missing_module(handler) for handler in handlers):
            children = node.finalbody
        case ast.With():  # perhaps suppress(ImportError)
            children = [
                child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.Import | ast.ImportFrom)
            ]
        case _:
            children = ast.iter_child_nodes(node)
    return children


def _is_false_in_an_upgrade(test: ast.expr) -> bool:
    names = {getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(test)}
    return bool(names & _NOT_IN_AN_UPGRADE) and not isinstance(test, ast.UnaryOp)


def _handles_missing_module(handler: ast.ExceptHandler) -> bool:
    """Return whether a handler continues after a missing module: it handles ImportError, and raises nothing."""
    if any(isinstance(node, ast.Raise) for node in ast.walk(handler)):
        return False
    if handler.type is None:
        return True
    names = {getattr(node, "id", getattr(node, "attr", None)) for node in ast.walk(handler.type)}
    return bool(names & _HANDLES_MISSING_MODULE)
