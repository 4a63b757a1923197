"""The start of a plan: a revision, or the heads of the revisions in a commit."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from alembic.config import Config

from review import git
from review.errors import GitError, ReviewError
from review.revision_scripts import RevisionScripts

_READ_HEADS = """
import json, sys
from alembic.config import Config
from alembic.script import ScriptDirectory

print(json.dumps(ScriptDirectory.from_config(Config(sys.argv[1])).get_heads()))
"""


@dataclass(frozen=True)
class Start:
    """The heads of the database before the deployment, and the reason for this assumption."""

    heads: tuple[str, ...]
    reason: str


def find_start(scripts: RevisionScripts, *, revision: str | None, since: str | None) -> Start:
    """Return the start: the revision, the heads at the git ref `since`, or else the heads at the last tag.

    Without a tag, the database is empty. Raises ReviewError for an unknown revision or ref, and for a head that the
    current revisions do not contain.
    """
    if revision is not None and since is not None:
        raise ReviewError("FROM and SINCE must not be set together (--from, --since): set one of them")
    if revision is not None:
        heads = scripts.resolve(revision)
        return Start(heads, "as requested" if heads else "an empty database, as requested")
    if since is not None:
        try:
            return _start_at(scripts, since, since)
        except GitError as exc:
            raise ReviewError(
                f"SINCE must be a commit, tag or branch of the repository (got {since!r}): {exc}"
            ) from exc
    try:
        tag = git.last_tag(scripts.ini.parent)
        return _start_at(scripts, tag, f"{tag}, the last tag")
    except GitError as exc:
        return Start((), f"an empty database: no release is known, because {exc}{_shallow_note(scripts)}")


def _start_at(scripts: RevisionScripts, ref: str, label: str) -> Start:
    folder = scripts.ini.parent
    top = git.top_level(folder)
    commit = git.resolve_commit(folder, ref)
    ini = _find_ini(git.list_files(top, commit), scripts.ini.relative_to(top))
    empty = Start((), f"an empty database: there are no revisions at {label}")
    if ini is None:
        return empty
    with git.exported(top, commit) as files:
        heads = _read_heads(files / ini, files, label)
    missing = sorted(set(heads) - {script.revision for script in scripts.revisions})
    if not heads or (missing and top / ini != scripts.ini):  # another project may have an alembic.ini, too
        return empty
    if missing:
        raise ReviewError(
            f"head {', '.join(missing)} at {label} must be one of the current revisions: it was removed or renamed"
            " afterwards, or added on another branch. Rebase, or set the revision to start from: FROM (--from)"
        )
    return Start(heads, f"the head at {label}")


def _find_ini(files: list[Path], current: Path) -> Path | None:
    """Return the alembic.ini of the commit: the file at the current path, or else the only file of that name."""
    if current in files:
        return current
    candidates = [path for path in files if path.name == current.name]
    return candidates[0] if len(candidates) == 1 else None


def _read_heads(ini: Path, files: Path, label: str) -> tuple[str, ...]:
    """Return the heads of an exported project. Another process reads them, because its modules are of the commit."""
    location = Config(str(ini)).get_main_option("script_location") or ""
    scripts = (ini.parent / location).resolve()
    if ":" not in location and not scripts.is_relative_to(files):
        raise ReviewError(f"script_location at {label} must be in the repository (got {location!r})")
    if ":" not in location and not scripts.is_dir():
        return ()
    process = subprocess.run(
        [sys.executable, "-c", _READ_HEADS, str(ini)], cwd=ini.parent, capture_output=True, text=True, check=False
    )
    if process.returncode != 0:
        reason = process.stderr.strip().rpartition("\n")[2]
        raise ReviewError(
            f"cannot read the revisions at {label}: {reason}; set the revision to start from: FROM (--from)"
        )
    heads: list[str] = json.loads(process.stdout.strip().rpartition("\n")[2])  # the revisions may print other lines
    return tuple(sorted(heads))


def _shallow_note(scripts: RevisionScripts) -> str:
    try:
        is_shallow = git.is_shallow(scripts.ini.parent)
    except GitError:
        return ""
    return "; the clone is shallow: run `git fetch --tags --unshallow`" if is_shallow else ""
