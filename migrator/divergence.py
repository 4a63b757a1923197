"""Compare the revisions of a deployment with the applied revisions, and build the error for each difference.

The migration log has each applied revision with its parents and a digest of its code. If the log has no row of a
revision, the previous deployment determines the revisions before it.
"""

from collections.abc import Iterable, Iterator, Sequence, Set

from migrator.errors import HistoryError
from migrator.manifest import Manifest
from migrator.migration_log import LoggedRevision, LoggedRevisions

_SHOWN = 5


def applied(heads: Iterable[str], log: LoggedRevisions, old_revisions: Sequence[str] = ()) -> set[str]:
    """Return the revisions that were applied to reach `heads`, as far as is known."""
    applied: set[str] = set()
    pending = list(heads)
    while pending:
        revision = pending.pop()
        if revision not in applied:
            applied.add(revision)
            pending += _parents(revision, log, old_revisions)
    return applied


def _parents(revision: str, log: LoggedRevisions, old_revisions: Sequence[str]) -> Sequence[str]:
    row = log.get(revision)
    if row is not None and row.parents is not None:
        return row.parents
    return old_revisions[: old_revisions.index(revision)] if revision in old_revisions else ()


def ahead(
    heads: Iterable[str], manifest: Manifest, log: LoggedRevisions, old_revisions: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return the applied revisions that the deployment does not have, in the order in which they were applied."""
    return tuple(_in_order(applied(heads, log, old_revisions) - manifest.files.keys(), log))


def changed(revisions: Set[str], manifest: Manifest, log: LoggedRevisions) -> list[LoggedRevision]:
    """Return the log's rows of those revisions whose parents or code have changed since they were applied."""
    rows = [log[revision] for revision in manifest.files if revision in revisions and revision in log]
    return [row for row in rows if _has_other_parents(row, manifest) or _has_other_code(row, manifest)]


def check_unchanged(revisions: Set[str], manifest: Manifest, log: LoggedRevisions, *, is_ahead: bool = False) -> None:
    """Raise HistoryError if one of these applied revisions was edited, or if the history before it was rewritten.

    A database that is ahead of the code cannot be given a baseline, which would move it back.
    """
    rows = changed(revisions, manifest, log)
    if not rows:
        return
    rewritten = [row for row in rows if _has_other_parents(row, manifest)]
    if rewritten:
        message, condition = _rewritten(rewritten[0], manifest, log), "the history was squashed and the schema"
    else:
        message, condition = _edited(rows), "the schema already"
    message += ", and put changes into new revisions after the last one."
    if not is_ahead:
        last = [revision for revision in manifest.files if revision in revisions][-1]
        message += f" If {condition} is that of {last}, deploy once with -c baseline={last}"
    raise HistoryError(message)


def _edited(rows: list[LoggedRevision]) -> str:
    return (
        f"applied revisions were edited: {_dated(rows)}. The schema is that of the files at that time. Restore these"
        " files"
    )


def _rewritten(row: LoggedRevision, manifest: Manifest, log: LoggedRevisions) -> str:
    parents, applied_parents = manifest.files[row.revision].parents, row.parents or ()
    not_applied = _listed(_never_applied(parents, manifest, log))
    removed = _listed(_in_order(applied(applied_parents, log) - manifest.files.keys(), log))
    return (
        f"the history before applied revisions was rewritten: {row.revision} was applied after"
        f" {_listed(applied_parents)} and now comes after {_listed(parents) or 'no revision'}."
        + (f" Never applied: {not_applied}." if not_applied else "")
        + (f" Applied, but not in this deployment: {removed}." if removed else "")
        + " Restore the applied revisions"
    )


def diverged(
    heads: Set[str], known: Set[str], missing: Set[str], manifest: Manifest, log: LoggedRevisions
) -> HistoryError:
    """Return the error for a database whose heads the deployment does not have, while it has revisions to apply.

    `known` are the revisions that were applied, as far as is known. `missing` are those that were not.
    """
    unknown = heads - manifest.files.keys()
    position, first = f"the database is at revision {_listed(sorted(heads))}", next(iter(manifest.files))
    if not (unknown & log.keys() or known > heads):
        return HistoryError(
            f"{position}, which is neither in this deployment nor in the migration log: deploy a version that has it."
            " If the schema is that of a revision of this deployment, deploy once with -c baseline= and that revision"
        )
    if len(missing) == len(manifest.files):
        return HistoryError(
            f"{position}, and this deployment has no revision in common with the applied ones: deploy a version that"
            f" has {_listed(sorted(heads))}. If the history was squashed into {first} and the schema is that of"
            f" {first}, deploy once with -c baseline={first}"
        )
    lacking = [log[name] for name in _in_order(known - manifest.files.keys(), log) if name in log]
    added = [name for name in manifest.files if name in missing]
    return HistoryError(
        f"{position}. This deployment lacks {_dated(lacking) or _listed(sorted(unknown))}, and adds {_listed(added)} on"
        f" another branch. Applied revisions stay applied, also after a rollback. Add the lacking ones to this branch,"
        f" put {added[0]} after {_listed(sorted(unknown))} (down_revision, or alembic merge), and deploy again"
    )


def older_code(unknown: Set[str], revisions: Sequence[str], log: LoggedRevisions) -> HistoryError:
    """Return the error for a deployment of older code that the user has not allowed."""
    rows = [log[revision] for revision in revisions if revision in log]
    return HistoryError(
        f"this deployment is older than the database, which is ahead by {_dated(rows) or _listed(revisions)}. A schema"
        " is never moved back: to undo a revision, deploy a new one. To run this older code on the newer schema, deploy"
        f" with -c allow-ahead={','.join(sorted(unknown))}"
    )


def _has_other_parents(row: LoggedRevision, manifest: Manifest) -> bool:
    return row.parents is not None and set(row.parents) != set(manifest.files[row.revision].parents)


def _has_other_code(row: LoggedRevision, manifest: Manifest) -> bool:
    return row.code_digest is not None and row.code_digest != manifest.files[row.revision].digest


def _never_applied(revisions: Iterable[str], manifest: Manifest, log: LoggedRevisions) -> Iterator[str]:
    """Yield these revisions, and the ones directly before them, as far as they have no row in the log."""
    for revision in revisions:
        if revision not in log:
            yield from _never_applied(manifest.files[revision].parents, manifest, log)
            yield revision


def _in_order(revisions: Iterable[str], log: LoggedRevisions) -> list[str]:
    """Sort revisions by the order in which they were applied. Revisions without a row come first."""
    return sorted(revisions, key=lambda name: (log[name].position if name in log else -1, name))


def _dated(rows: list[LoggedRevision]) -> str:
    return _listed([f"{row.revision} (applied {row.applied_at})" for row in rows])


def _listed(names: Iterable[str]) -> str:
    """Join names. Only the first and the last ones of a long list are shown."""
    revisions = list(names)
    if len(revisions) <= _SHOWN:
        return ", ".join(revisions)
    return f"{', '.join(revisions[: _SHOWN - 2])}, … {revisions[-1]} ({len(revisions)} revisions)"
