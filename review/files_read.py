"""The files that revisions read while Python imports or runs them. Python reports each file that it opens.

https://docs.python.org/3/library/audit_events.html
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_TAG = f".{sys.implementation.cache_tag}"
_CODE = {".py", ".pyc", ".so"}


class _Files:
    """The files by the Python file that was opened last before them."""

    def __init__(self) -> None:
        self.is_observing = False
        self.by_code: dict[str, set[str]] = {}
        self.code = ""

    def audit(self, event: str, arguments: tuple[object, ...]) -> None:
        """Record the event `open`. This function must not open a file."""
        if not self.is_observing or event != "open" or not isinstance(arguments[0], str):
            return
        path = arguments[0]
        if path.endswith(".pyc"):
            cached = Path(path)  # importlib.util.source_from_cache rejects names with more dots
            self.code = str(cached.parent.parent / f"{cached.name.partition(_TAG)[0]}.py")
        elif path.endswith(".py"):
            self.code = path
        elif isinstance(arguments[1], str | None) and not set(arguments[1] or "") & set("wax+"):
            self.by_code.setdefault(self.code, set()).add(path)


_files = _Files()
sys.addaudithook(_files.audit)


@contextmanager
def observe(code: Path | None = None) -> Iterator[None]:
    """Record the files that are opened in the block, for the Python file `code` if its code runs already."""
    _files.is_observing, _files.code = True, str(code or "")
    try:
        yield
    finally:
        _files.is_observing = False


def of_revision(revision: Path, folder: Path) -> tuple[Path, ...]:
    """Return the files below a folder that a revision has read, besides Python code and installed packages."""
    paths = [Path(path).resolve() for path in _files.by_code.get(str(revision), ())]
    return tuple(
        sorted(
            path
            for path in set(paths)
            if path.is_relative_to(folder) and path.suffix not in _CODE and path.is_file() and not _is_installed(path)
        )
    )


def _is_installed(path: Path) -> bool:
    return path.is_relative_to(sys.prefix) or "site-packages" in path.parts
