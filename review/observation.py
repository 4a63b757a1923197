"""The work of a statement, from the storage and the scans of the relations before and after."""

from collections.abc import Callable, Mapping

from review.catalog import StoredRelation
from review.recording import Work


def work_between(
    before: Mapping[int, StoredRelation], after: Mapping[int, StoredRelation], existed: Callable[[int], bool]
) -> tuple[Work, ...]:
    """Return the rewrites, index builds and full reads of tables that existed before the revision.

    `after` has the relations that the statement has locked or created.
    """
    existing = {oid: stored for oid, stored in after.items() if existed(stored.table or oid)}
    new_files = {oid for oid, stored in existing.items() if oid not in before or before[oid].file != stored.file}
    rewritten = {oid for oid in new_files if existing[oid].relation.kind in {"table", "materialized view"}}
    work = {Work("rewrites", existing[oid].relation) for oid in rewritten}
    built: set[int] = set()
    for oid in new_files - rewritten:
        index = existing[oid]
        if index.table and index.file and index.table not in rewritten:  # a partitioned index has no file
            built.add(index.table)
            work.add(Work("builds", before[index.table].relation, index.relation.name))
    for oid, stored in existing.items():
        is_scanned = oid in before and stored.scans > before[oid].scans
        if is_scanned and not stored.table and oid not in rewritten | built:
            work.add(Work("reads", stored.relation))
    return tuple(sorted(work))
