"""The git commands that the review needs. They change no file and no index of the repository."""

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from review.errors import GitError


def top_level(folder: Path) -> Path:
    """Return the root folder of the repository. Raises GitError outside of a repository."""
    return Path(run(folder, "rev-parse", "--show-toplevel").rstrip("\n"))


def last_tag(folder: Path) -> str:
    """Return the newest tag on an ancestor of the current commit. Raises GitError if there is no such tag."""
    top_level(folder)
    try:
        return run(folder, "describe", "--tags", "--abbrev=0").strip()
    except GitError as exc:
        raise GitError("the current commit has no tag among its ancestors") from exc


def resolve_commit(folder: Path, ref: str) -> str:
    """Return the id of the commit that a tag, a branch or an expression names. Raises GitError for any other text."""
    top_level(folder)
    try:
        return run(folder, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}").strip()
    except GitError as exc:
        raise GitError("the repository does not have it") from exc


def list_files(top: Path, commit: str) -> list[Path]:
    """Return the files of a commit, relative to the root folder of the repository."""
    return [Path(name) for name in run(top, "ls-tree", "-r", "-z", "--name-only", commit).split("\0")]


@contextmanager
def exported(top: Path, commit: str) -> Iterator[Path]:
    """Write all files of a commit to a temporary folder, which is removed with the context."""
    with TemporaryDirectory(prefix="commit-") as name:
        folder = Path(name).resolve()
        environ = {"GIT_INDEX_FILE": str(folder / "index")}
        run(top, "read-tree", commit, environ=environ)
        run(top, "checkout-index", "--all", "--quiet", f"--prefix={folder}/files/", environ=environ)
        yield folder / "files"


def is_shallow(folder: Path) -> bool:
    """Tell whether older commits and their tags are missing from the clone."""
    return run(folder, "rev-parse", "--is-shallow-repository").strip() == "true"


def run(folder: Path, *arguments: str, environ: Mapping[str, str] | None = None) -> str:
    """Run git in a folder and return its output. Raises GitError with the message of git."""
    variables = {**os.environ, "LC_ALL": "C", **(environ or {})}
    try:
        process = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, check=False, env=variables)
    except FileNotFoundError as exc:
        raise GitError("git is not installed") from exc
    if process.returncode != 0:
        raise GitError(" ".join(process.stderr.decode(errors="replace").removeprefix("fatal: ").split()))
    return process.stdout.decode(errors="surrogateescape")
