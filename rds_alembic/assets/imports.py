"""The modules that the user's code imports and that the function cannot import. No code is run."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rds_alembic.assets.executed_imports import Import, executed_imports
from rds_alembic.revisions.syntax import parse_file

# In AWS's python3.13 runtime, beside the standard library. https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
LAMBDA_RUNTIME = frozenset(
    {"awslambdaric", "boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "snapshot_restore_py", "urllib3"}
)
# Python 3.12 at synth still lists them. https://docs.python.org/3/whatsnew/3.13.html#pep-594-remove-dead-batteries-from-the-standard-library
_REMOVED_IN_3_13 = frozenset(
    {"aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "lib2to3", "mailcap", "msilib", "nis", "nntplib"}
    | {"ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib"}
)
STANDARD_LIBRARY = frozenset(sys.stdlib_module_names) - _REMOVED_IN_3_13

_MODULE_FILE = re.compile(r"(?P<module>.+?)(?:/__init__)?(?:\.py|(?:\.cpython-313[^/]*|\.abi3)?\.so)")


@dataclass(frozen=True, order=True)
class MissingModule:
    """One module that the function cannot import, and the first import of the module."""

    name: str
    file: str
    line: int


class ZipModules:
    """The modules that a function can import: of its zip, of the standard library and of the Lambda runtime."""

    def __init__(self, files: Mapping[str, Path], search_path: Sequence[str]) -> None:
        """Take the files by their path in the zip, and the folders of `sys.path` in the zip (`""` is its root)."""
        self._below = {folder: _modules_below(files, folder) for folder in search_path}

    def contains(self, name: str) -> bool:
        """Return whether a module, such as `app.models`, can be imported."""
        if name.partition(".")[0] in STANDARD_LIBRARY | LAMBDA_RUNTIME:
            return True
        return self._modules_of(name) is not None

    def file(self, name: str) -> str | None:
        """Return a module's path in the zip, or None for a namespace package or a module that is not in the zip."""
        return (self._modules_of(name) or {}).get(name)

    def package_of(self, file: str) -> str:
        """Return the package that relative imports of a file start from; an empty text outside of packages."""
        for modules in self._below.values():
            for name, path in modules.items():
                if path == file:
                    return name if file.endswith("/__init__.py") else name.rpartition(".")[0]
        return ""

    def _modules_of(self, name: str) -> Mapping[str, str | None] | None:
        return next((modules for modules in self._below.values() if name in modules), None)


def missing_modules(
    entry_points: Mapping[str, Sequence[str]],
    files: Mapping[str, Path],
    *,
    search_path: Sequence[str],
    user_folder: str,
) -> list[MissingModule]:
    """Return the modules that cannot be imported when the entry points run in the function.

    `entry_points` maps the path in the zip of a file to the functions in the file that are called, such as `upgrade`.
    Files of the zip below `user_folder` are followed from import to import. Libraries are not: their requirements are
    locked with them.
    """
    modules = ZipModules(files, search_path)
    missing: dict[str, MissingModule] = {}
    pending: list[tuple[str, Sequence[str]]] = list(entry_points.items())
    read: set[str] = set()
    while pending:
        file, functions = pending.pop(0)
        if file in read:
            continue
        read.add(file)
        package = "" if file in entry_points else modules.package_of(file)  # Alembic loads its files without a package
        tree = parse_file(files[file])
        for statement in executed_imports(tree, functions=functions, package=package):
            for name in _needed_modules(statement, modules):
                if not modules.contains(name):
                    missing.setdefault(name, MissingModule(name, file, statement.line))
                elif (imported := modules.file(name)) and imported.startswith(f"{user_folder}/"):
                    pending += [(imported, ())] if imported.endswith(".py") else []
    return sorted(missing.values())


def _needed_modules(statement: Import, modules: ZipModules) -> Iterator[str]:
    """Yield the packages and the module of an import, and the imported names that are modules themselves.

    Stop after the first missing package: `app.models` is missing because `app` is.
    """
    parts = statement.module.split(".")
    for length in range(1, len(parts) + 1):
        name = ".".join(parts[:length])
        yield name
        if not modules.contains(name):
            return
    yield from (name for name in (f"{statement.module}.{item}" for item in statement.names) if modules.file(name))


def _modules_below(files: Mapping[str, Path], folder: str) -> dict[str, str | None]:
    """Map each module below a folder of `sys.path` to its file; namespace packages have none."""
    prefix = f"{folder}/" if folder else ""
    modules: dict[str, str | None] = {}
    for file in files:
        match = _MODULE_FILE.fullmatch(file.removeprefix(prefix)) if file.startswith(prefix) else None
        if match is None:
            continue
        name = match["module"].replace("/", ".")
        modules[name] = file
        while name := name.rpartition(".")[0]:
            modules.setdefault(name, None)
    return modules
