"""The events of the migrator's handlers."""

from uuid import uuid4

from tests.postgres.projects import STACK_ID, Project


def upgrade_event(
    project: Project, kind: str = "Create", old: tuple[str, ...] = (), **added: object
) -> dict[str, object]:
    """Return the event of a project's deployment for `is_complete`; `added` are keys that `on_event` adds."""
    request = project.request()
    event: dict[str, object] = {
        "RequestType": kind,
        "RequestId": str(uuid4()),
        "StackId": STACK_ID,
        "PhysicalResourceId": "alembic-upgrade",
        "ResourceProperties": {"MigrationsDigest": request.migrations_digest, "Revisions": list(request.revisions)},
    }
    if kind == "Update":
        event["OldResourceProperties"] = {"MigrationsDigest": "0" * 64, "Revisions": list(old)}
        event["RollingBack"] = False
    return event | added
