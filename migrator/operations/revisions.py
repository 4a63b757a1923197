"""The commands `current`, `heads` and `history`: the revisions of the database and of the deployed code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from migrator import divergence
from migrator.errors import EventError
from migrator.manifest import Manifest
from migrator.migration_log import LoggedRevisions, read_log
from migrator.operations.arguments import Answer
from migrator.operations.project import database_heads, with_scripts, wrap_revision_errors
from migrator.operations.reading import Reading

if TYPE_CHECKING:
    from migrator.revision_scripts import RevisionScripts


def current(reading: Reading) -> Answer:
    """Return the heads of the database, in the form of `alembic current`."""
    database, manifest = database_heads(reading), reading.manifest
    with reading.observe() as session:
        log = read_log(session)
    code_heads = heads_of_code(manifest)
    return {
        "database": reading.settings.database,
        "revisions": [
            {
                "revision": revision,
                "head": revision in code_heads,
                "in_code": revision in manifest.files,
                "applied_at": log[revision].applied_at if revision in log else None,
            }
            for revision in sorted(database)
        ],
    }


def heads(reading: Reading) -> Answer:
    """Return the heads of the deployed code."""
    return {"heads": sorted(heads_of_code(reading.manifest))}


def history(reading: Reading, *, revision_range: str) -> Answer:
    """Return the revisions of a range in Alembic's syntax, newest first. `current` is the revision of the database."""
    database, manifest = database_heads(reading), reading.manifest
    with reading.observe() as session:
        log = read_log(session)
    lower, upper = _bounds(revision_range, database)
    entries = with_scripts(
        reading.project, manifest, reading.deadline, lambda scripts: _walk(scripts, lower=lower, upper=upper)
    )
    applied = divergence.applied(database, log) | manifest.ancestors(database)
    return {"revisions": [_with_state(*entry, applied=applied, log=log) for entry in entries]}


def heads_of_code(manifest: Manifest) -> set[str]:
    """Return the revisions of the code that no other revision follows."""
    return manifest.files.keys() - {parent for file in manifest.files.values() for parent in file.parents}


def pending(database: frozenset[str], manifest: Manifest, log: LoggedRevisions) -> list[str]:
    """Return the revisions of the code that the database does not have, in the order in which they run."""
    applied = divergence.applied(database, log) | manifest.ancestors(database)
    return [revision for revision in manifest.files if revision not in applied]


type _Bound = str | tuple[str, ...]
type _Entry = tuple[str, tuple[str, ...], str]


def _bounds(revision_range: str, database: frozenset[str]) -> tuple[_Bound, _Bound]:
    if not revision_range:
        return "base", "heads"
    if revision_range.count(":") != 1:
        raise EventError(f"revision_range must be [start]:[end] (got {revision_range!r})")
    start, end = (part.strip() for part in revision_range.split(":"))
    current: tuple[str, ...] = tuple(sorted(database))
    return (current or "base") if start == "current" else (start or "base"), current if end == "current" else (
        end or "heads"
    )


def _walk(scripts: RevisionScripts, *, lower: _Bound, upper: _Bound) -> list[_Entry]:
    with wrap_revision_errors():
        return [
            (script.revision, tuple(_parents(script.down_revision)), script.doc)
            for script in (scripts.directory.walk_revisions(lower, upper) if upper else ())  # type: ignore[arg-type]
        ]


def _parents(down_revision: str | Sequence[str] | None) -> Sequence[str]:
    return [down_revision] if isinstance(down_revision, str) else down_revision or ()


def _with_state(
    revision: str, parents: tuple[str, ...], message: str, *, applied: set[str], log: LoggedRevisions
) -> Answer:
    return {
        "revision": revision,
        "parents": list(parents),
        "message": message,
        "applied": revision in applied,
        "applied_at": log[revision].applied_at if revision in log else None,
    }
