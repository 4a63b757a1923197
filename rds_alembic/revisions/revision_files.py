"""The revisions of an Alembic project, read from the syntax trees of their files.

An import would need the application and all libraries of the project in the environment of the synth. A revision is run
only if its id or its parents are not literals.
"""

import ast
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from alembic.script.revision import Revision, RevisionError, RevisionMap
from alembic.util import to_tuple

from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions import revision_ids
from rds_alembic.revisions.alembic_settings import AlembicSettings
from rds_alembic.revisions.code_digest import code_digest
from rds_alembic.revisions.syntax import parse_file

_NAMES = ("revision", "down_revision", "depends_on", "branch_labels")


@dataclass(frozen=True, kw_only=True)
class RevisionFile:
    """The id of a revision, its parents (`down_revision` and `depends_on`), the digest of its code, and its file."""

    revision: str
    parents: tuple[str, ...]
    digest: str
    path: Path


def read_revisions(settings: AlembicSettings) -> tuple[RevisionFile, ...]:
    """Return the revisions from base to head.

    Raises RdsAlembicError if `alembic upgrade head` would fail or reach several heads.
    """
    trees = {path: parse_file(path) for path in settings.revision_paths()}
    if not trees:
        folders = ", ".join(map(str, settings.version_locations))
        raise RdsAlembicError(f"{folders} must have a revision (got 0): create one with .venv/bin/alembic revision")
    declared = {path: _declared_names(path, tree) for path, tree in trees.items()}
    if problems := revision_ids.problems((names["revision"], path) for path, names in declared.items()):
        raise RdsAlembicError("; ".join(problems))
    paths = {names["revision"]: path for path, names in declared.items()}
    in_order, revisions = _sort([_revision(names) for names in declared.values()])
    return tuple(
        RevisionFile(
            revision=revision.revision,
            parents=_parents(revision, revisions),
            digest=code_digest(trees[paths[revision.revision]]),
            path=paths[revision.revision],
        )
        for revision in in_order
    )


def _declared_names(path: Path, tree: ast.Module) -> dict[str, Any]:
    """Return the id of a revision, its parents and its labels by their names in the file."""
    values = revision_ids.assignments(tree)
    if "revision" not in values:
        raise RdsAlembicError(f"{path} must assign `revision`, as every file in a folder of revisions")
    try:
        return {name: ast.literal_eval(values[name]) for name in _NAMES if name in values}
    except ValueError:  # not a literal
        return {name: value for name, value in _run(path, tree).items() if name in _NAMES}


def _revision(names: dict[str, Any]) -> Revision:
    return Revision(
        names["revision"],
        names.get("down_revision"),
        dependencies=names.get("depends_on"),
        branch_labels=names.get("branch_labels"),
    )


def _run(path: Path, tree: ast.Module) -> dict[str, Any]:
    """Run a revision that computes its id or parents, and return its names."""
    module: dict[str, Any] = {"__file__": str(path), "__name__": path.stem}
    try:
        exec(compile(tree, str(path), "exec"), module)  # noqa: S102 - Alembic does the same
    except Exception as exc:  # the user's code may raise any exception
        raise RdsAlembicError(f"cannot read the revision {path}: {type(exc).__name__}: {exc}") from exc
    return module


def _sort(revisions: Sequence[Revision]) -> tuple[list[Revision], RevisionMap]:
    """Return the revisions from base to head, and Alembic's map of them."""
    revision_map = RevisionMap(lambda: revisions)
    with warnings.catch_warnings():
        # Alembic only warns about a revision that exists twice, or whose parent does not exist.
        warnings.filterwarnings("error", category=UserWarning, message="Revision ")
        try:
            heads = sorted(revision_map.heads)
            newest_first = revision_map.iterate_revisions("heads", "base", inclusive=True, assert_relative_length=False)
            in_order = list(newest_first)[::-1]
        except (RevisionError, UserWarning) as exc:
            raise RdsAlembicError(f"the revisions must form a chain: {exc}") from exc
    if len(heads) > 1:
        raise RdsAlembicError(
            f"the revisions must have one head (got {len(heads)}: {', '.join(heads)}): merge them with "
            ".venv/bin/alembic merge"
        )
    return in_order, revision_map


def _parents(revision: Revision, revisions: RevisionMap) -> tuple[str, ...]:
    # `depends_on` may name a branch label.
    names = to_tuple(revision.dependencies, default=())
    depends_on = [parent.revision for name in names if (parent := revisions.get_revision(name))]
    return tuple(sorted({*to_tuple(revision.down_revision, default=()), *depends_on}))
