"""What a deployment has to do, from what the database says and what the templates say; no I/O."""

from collections.abc import Set
from enum import Enum

from migrator.errors import UnknownRevisionError
from migrator.events import UpgradeRequest


class Plan(Enum):
    """What to do with the schema."""

    NOTHING = "at head already"
    UPGRADE = "apply the revisions that are missing"
    STAY_AHEAD = "a rollback: the database is ahead of the code, and stays there"


def plan(heads: Set[str], request: UpgradeRequest) -> Plan:
    """Decide from the database's heads; raises UnknownRevisionError for a history that nobody here knows.

    When a deployment fails after its migration, CloudFormation restores the code before it and sends an Update
    whose old properties are the failed deployment's. Schemas only go forward: the database stays where it is. The
    restored head must be a part of the failed deployment's history: a head that is new there would never be applied.
    """
    if heads == {request.head}:
        return Plan.NOTHING
    unknown = heads - set(request.revisions)
    if not unknown:
        return Plan.UPGRADE
    if unknown <= set(request.old_revisions) and request.head in request.old_revisions:
        return Plan.STAY_AHEAD
    raise UnknownRevisionError(
        f"the database is at revision {', '.join(sorted(unknown))}, which is neither in this deployment nor in the one"
        f" before it: deploy a version that has it, or, if the schema is that of {request.head}, stamp it so"
    )
