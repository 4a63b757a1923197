"""From where a plan starts: a revision, or what was there at a commit, as the repository remembers it."""

import configparser
import io
import os
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.config import Config
from alembic.util import CommandError, coerce_resource_to_filename

from review.errors import ReviewError
from review.history import History

SECTION = "alembic"


@dataclass(frozen=True)
class Start:
    """The heads that a database is taken to be at, none for an empty one, and why these."""

    heads: tuple[str, ...]
    why: str


@dataclass(frozen=True)
class Copy:
    """An alembic.ini as of a commit, leading to a copy of its scripts; it may be another project's if it moved."""

    ini: Path
    is_elsewhere: bool


class GitError(Exception):
    """Git cannot say."""


def find_start(history: History, *, start: str | None, since: str | None) -> Start:
    """Return where a plan starts: at a revision, at a git ref, or else at the last release's tag.

    Raises ReviewError if there is no such thing, or if it is no part of the present history.
    """
    if start is not None and since is not None:
        raise ReviewError("a plan starts at a revision or at a git ref, not at both: --from or --since")
    if start is not None:
        history.after(start)  # says what there is, if there is no such revision
        heads = tuple(script.revision for script in history.directory.get_revisions(start))
        return Start(heads, "as asked" if heads else "an empty database, as asked")
    if since is not None:
        try:
            return _at_ref(history, since, since)
        except GitError as exc:
            raise ReviewError(f"nothing is known of {since!r}: {exc}") from exc
    try:
        tag = _last_tag(history.ini.parent)
        return _at_ref(history, tag, f"{tag}, the last tag")
    except GitError as exc:
        return Start((), f"an empty database: no release is known, {exc}{_if_shallow(history)}")


def _last_tag(folder: Path) -> str:
    _git(folder, "rev-parse", "--git-dir")  # says it if there is no repository
    try:
        return _git(folder, "describe", "--tags", "--abbrev=0").strip()
    except GitError as exc:
        raise GitError("no tag leads to what is checked out") from exc


def _at_ref(history: History, ref: str, called: str) -> Start:
    """Return the heads of the revisions in a commit."""
    nothing = Start((), f"an empty database: there are no revisions at {called}")
    with _checked_out(history, ref) as copy:
        if copy is None:
            return nothing
        try:
            heads = History.read(copy.ini).heads
        except ReviewError as exc:
            raise ReviewError(f"at {called}: {exc}; name the revision to start from: --from") from exc
    known = {script.revision for script in history.scripts}
    missing = [head for head in heads if head not in known]
    if not heads or (missing and copy.is_elsewhere):
        return nothing
    if missing:
        raise ReviewError(
            f"the head at {called} is {', '.join(missing)}, which is not in the present history: it was removed or"
            " renamed since, or added over there; rebase, or name the revision to start from: --from"
        )
    return Start(heads, f"the head at {called}")


@contextmanager
def _checked_out(history: History, ref: str) -> Iterator[Copy | None]:
    """Copy a project as of a commit; yields None if there was none."""
    top = Path(_git(history.ini.parent, "rev-parse", "--show-toplevel").rstrip("\n"))
    commit = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
    ini = _ini_at(top, commit, history.ini)
    if ini is None:
        yield None
        return
    with TemporaryDirectory(prefix="revisions-") as name:
        folder = Path(name).resolve()
        _extract(top, commit, [ini], folder)
        locations = _relocate(folder / ini, top, folder, history.ini.parent)
        _extract(top, commit, [path for path in locations if _is_there(top, commit, path)], folder)
        has_scripts = (folder / locations[0]).is_dir()
        yield Copy(folder / ini, is_elsewhere=top / ini != history.ini) if has_scripts else None


def _ini_at(top: Path, commit: str, present: Path) -> Path | None:
    """Return where alembic.ini was: at the same place, or the only one of that name elsewhere."""
    files = [Path(name) for name in _git(top, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")]
    same = present.relative_to(top)
    others = [path for path in files if path.name == present.name]
    if same in others:
        return same
    return others[0] if len(others) == 1 else None


def _relocate(ini: Path, top: Path, folder: Path, here: Path) -> list[Path]:
    """Point a copy of alembic.ini to the copies of its scripts; returns where they are below `top`."""
    config = Config(str(ini))
    locations = [config.get_main_option("script_location") or "", *(config.get_version_locations_list() or [])]
    below = [_below(location, top, folder) for location in locations]
    scripts, *versions = (str(folder / path) for path in below)
    # Modules that the revisions import are those of the work tree.
    modules = [path.replace(str(ini.parent), str(here)) for path in config.get_prepend_sys_paths_list() or []]
    parser = configparser.RawConfigParser()
    parser.read(ini, encoding="utf-8")
    parser[SECTION]["path_separator"] = "os"
    moved = {"script_location": [scripts], "version_locations": versions, "prepend_sys_path": modules}
    for option, paths in moved.items():
        parser[SECTION][option] = os.pathsep.join(paths).replace("%", "%%")
    with ini.open("w", encoding="utf-8") as file:
        parser.write(file)
    return below


def _below(location: str, top: Path, folder: Path) -> Path:
    try:
        path = Path(coerce_resource_to_filename(location)).absolute()
    except (CommandError, ImportError) as exc:
        raise ReviewError(f"the scripts were in {location!r}, which cannot be found: {exc}") from exc
    for root in (folder, top):
        if path.is_relative_to(root):
            return path.relative_to(root)
    raise ReviewError(f"the scripts were in {path}, which is not in the repository {top}")


def _is_there(top: Path, commit: str, path: Path) -> bool:
    return bool(_git(top, "ls-tree", "-z", "--name-only", commit, "--", path.as_posix()))


def _extract(top: Path, commit: str, paths: list[Path], folder: Path) -> None:
    if not paths:
        return
    archive = _run(top, "archive", "--format=tar", commit, "--", *(path.as_posix() for path in paths))
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")


def _if_shallow(history: History) -> str:
    try:
        is_shallow = _git(history.ini.parent, "rev-parse", "--is-shallow-repository").strip() == "true"
    except GitError:
        return ""
    return "; the clone is shallow, `git fetch --tags --unshallow` brings the rest" if is_shallow else ""


def _git(folder: Path, *arguments: str) -> str:
    return _run(folder, *arguments).decode(errors="surrogateescape")


def _run(folder: Path, *arguments: str) -> bytes:
    """Run git; raises GitError with its words, or ours where it says nothing."""
    try:
        environ = {**os.environ, "LC_ALL": "C"}
        ran = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=False, env=environ)
    except FileNotFoundError as exc:
        raise GitError("git is not installed") from exc
    if ran.returncode != 0:
        words = " ".join(ran.stderr.decode(errors="replace").removeprefix("fatal: ").split())
        raise GitError(words or "there is no such commit, tag or branch here")
    return ran.stdout
