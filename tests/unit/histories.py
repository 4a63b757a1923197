"""Histories in memory for tests of the decision: manifests, and logs of the applied revisions."""

from collections.abc import Iterable, Mapping

import pytest

from migrator.decision import Decision, decide
from migrator.errors import HistoryError
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest, RevisionFile
from migrator.migration_log import LoggedRevision, LoggedRevisions


def manifest(revisions: Mapping[str, Iterable[str]], *, edited: Iterable[str] = ()) -> Manifest:
    """Return a manifest of revisions with their parents. The code of `edited` revisions differs from the log's."""
    return Manifest(
        {
            name: RevisionFile(name, tuple(parents), f"code of {name}" + (", edited" if name in edited else ""))
            for name, parents in revisions.items()
        }
    )


def chain(*names: str) -> dict[str, tuple[str, ...]]:
    """Return revisions, each of which follows the previous one."""
    return {name: names[max(0, index - 1) : index] for index, name in enumerate(names)}


def log_of(applied: Manifest) -> LoggedRevisions:
    """Return the log of a database to which all revisions of a manifest were applied."""
    return {
        file.revision: LoggedRevision(position, file.revision, file.parents, file.digest, "2026-11-20 04:00 UTC")
        for position, file in enumerate(applied.files.values(), start=1)
    }


def request(
    code: Manifest, *, old: Iterable[str] = (), baseline: str = "", allow: Iterable[str] = ()
) -> UpgradeRequest:
    """Return the request of a deployment of `code`."""
    return UpgradeRequest("0" * 64, tuple(code.files), tuple(old), baseline=baseline, allow_ahead=frozenset(allow))


EMPTY: LoggedRevisions = {}
ABC = manifest(chain("a", "b", "c"))


def decision(
    head: str | set[str],
    code: Manifest,
    log: LoggedRevisions,
    *,
    old: tuple[str, ...] = (),
    baseline: str = "",
    allow: tuple[str, ...] = (),
) -> Decision:
    """Return the decision about a deployment of `code` to a database at `head`, or at several heads."""
    heads = {head} if isinstance(head, str) else head
    return decide(heads, request(code, old=old, baseline=baseline, allow=allow), code, log)


def rejection(
    head: str | set[str], code: Manifest, log: LoggedRevisions, *, old: tuple[str, ...] = (), baseline: str = ""
) -> str:
    """Return the message of the error of that decision."""
    with pytest.raises(HistoryError) as error:
        decision(head, code, log, old=old, baseline=baseline)
    return str(error.value)
