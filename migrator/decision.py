"""Decide what an upgrade does, from the heads of the database, the migration log and the deployment. No I/O."""

from collections.abc import Set
from enum import Enum

from migrator import divergence
from migrator.events import UpgradeRequest
from migrator.manifest import Manifest
from migrator.migration_log import LoggedRevisions


class Decision(Enum):
    """The decision of an upgrade."""

    NOTHING = "at head already"
    UPGRADE = "apply the missing revisions"
    BASELINE = "record the schema as that of the baseline, without running its revisions"
    STAY_AHEAD = "leave the schema ahead of the code"
    ROLLBACK = "change nothing: the stack is rolling back"


def decide(heads: Set[str], request: UpgradeRequest, manifest: Manifest, log: LoggedRevisions) -> Decision:
    """Return the decision. Raises HistoryError if the deployment does not fit the applied revisions.

    A schema is never moved back. It may stay ahead of the code if the deployment has the same revisions as the previous
    one, which is the state after a rollback, and if the user allows it. Other deployments of older code are rejected.
    """
    revisions = manifest.files.keys()
    applied = divergence.applied(heads, log, request.old_revisions)
    missing = revisions - manifest.ancestors(applied)
    if _needs_baseline(heads, missing, request, manifest, log):
        return Decision.BASELINE
    if heads <= revisions:
        divergence.check_unchanged(manifest.ancestors(heads), manifest, log)
        return Decision.NOTHING if heads == {request.head} else Decision.UPGRADE
    if missing:
        raise divergence.diverged(heads, applied, missing, manifest, log)
    divergence.check_unchanged(revisions, manifest, log, is_ahead=True)
    if request.revisions == request.old_revisions or heads - revisions <= request.allow_ahead:
        return Decision.STAY_AHEAD
    raise divergence.older_code(heads - revisions, divergence.ahead(heads, manifest, log, request.old_revisions), log)


def _needs_baseline(
    heads: Set[str], missing: Set[str], request: UpgradeRequest, manifest: Manifest, log: LoggedRevisions
) -> bool:
    """Return whether the user's baseline is not recorded yet. A baseline never moves the database back."""
    if not request.baseline:
        return False
    if not heads <= manifest.files.keys():
        return bool(missing)
    if request.baseline not in manifest.ancestors(heads):
        return True
    return bool(divergence.changed(manifest.ancestors({request.baseline}), manifest, log))
