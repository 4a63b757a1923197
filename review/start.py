"""The start of a review: a revision, or the revisions in a commit. The later revisions are reviewed."""

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from review.errors import ReviewError
from review.revision_scripts import RevisionScripts

_REVISION = re.compile(r"(?P<path>[^:]+):revision\b[^=]*=\s*[\"'](?P<id>[^\"']+)[\"']")


class _GitError(Exception):
    """Git failed. The message is the message of git."""


@dataclass(frozen=True)
class Start:
    """The revisions of the database, with or without their ancestors, and the reason for this assumption."""

    revisions: tuple[str, ...]
    reason: str


def find_start(scripts: RevisionScripts, *, revision: str | None, since: str | None) -> Start:
    """Return the start of a plan: the revision, or the revisions at the git ref `since`, or else at the last tag.

    Without a tag, the database is empty. Raises ReviewError for an unknown revision or ref, and for a revision in the
    commit that the current revisions do not contain.
    """
    if revision is not None and since is not None:
        raise ReviewError("FROM and SINCE must not be set together (--from, --since): set one of them")
    if revision is not None:
        revisions = scripts.resolve(revision, "FROM (--from)")
        return Start(revisions, "as requested" if revisions else "an empty database, as requested")
    if since is not None:
        try:
            return _start_at(scripts, since, since)
        except _GitError as exc:
            raise ReviewError(
                f"SINCE must be a commit, tag or branch of the repository (got {since!r}): {exc}"
            ) from exc
    try:
        tag = _last_tag(scripts.ini.parent)
        return _start_at(scripts, tag, f"{tag}, the last tag")
    except _GitError as exc:
        is_shallow = "true" in _git(scripts.ini.parent, "rev-parse", "--is-shallow-repository", default="")
        note = "; the clone is shallow: run `git fetch --tags --unshallow`" if is_shallow else ""
        return Start((), f"an empty database: no release is known, because {exc}{note}")


def find_baseline(scripts: RevisionScripts, *, since: str | None) -> Start:
    """Return the start of the lint: the revisions at the git ref `since`, or `start_after` in alembic.ini, or base.

    Raises ReviewError for an unknown revision or ref.
    """
    if since is not None:
        return find_start(scripts, revision=None, since=since)
    baseline = scripts.option("start_after")
    revisions = scripts.resolve(baseline, "start_after in alembic.ini") if baseline else ()
    return Start(revisions, "start_after in alembic.ini" if baseline else "an empty database")


def _start_at(scripts: RevisionScripts, ref: str, label: str) -> Start:
    top = Path(_git(scripts.ini.parent, "rev-parse", "--show-toplevel").rstrip("\n"))
    commit = _git(top, "rev-parse", "--verify", "--end-of-options", f"{ref}^{{commit}}").strip()
    lines = _git(top, "grep", "--no-color", "-E", "^revision\\b", commit, "--", "*.py", default="").splitlines()
    matches = [match for line in lines if (match := _REVISION.match(line.removeprefix(f"{commit}:")))]
    current = {script.revision for script in scripts.revisions}
    folders = {Path(script.path).parent for script in scripts.revisions}
    missing = {match["id"] for match in matches if (top / match["path"]).parent in folders} - current
    if missing:
        raise ReviewError(
            f"revision {', '.join(sorted(missing))} at {label} must be one of the current revisions: it was removed or"
            " renamed afterwards, or added on another branch. Rebase, or set the revision to start from: FROM (--from)"
        )
    revisions = tuple(sorted(current & {match["id"] for match in matches}))
    reason = f"the revisions at {label}" if revisions else f"an empty database: there are no revisions at {label}"
    return Start(revisions, reason)


def _last_tag(folder: Path) -> str:
    _git(folder, "rev-parse", "--show-toplevel")  # fails outside of a repository
    tag = _git(folder, "describe", "--tags", "--abbrev=0", default="").strip()
    if not tag:
        raise _GitError("the current commit has no tag among its ancestors")
    return tag


def _git(folder: Path, *arguments: str, default: str | None = None) -> str:
    """Return the output of git, or `default` if git fails. Raises _GitError without a default."""
    command = ["git", "-C", str(folder), *arguments]
    try:
        process = subprocess.run(command, capture_output=True, check=False, env={**os.environ, "LC_ALL": "C"})
    except FileNotFoundError as exc:
        raise _GitError("git is not installed") from exc
    if process.returncode == 0:
        return process.stdout.decode(errors="surrogateescape")
    if default is not None:
        return default
    raise _GitError(" ".join(process.stderr.decode(errors="replace").removeprefix("fatal: ").split()))
