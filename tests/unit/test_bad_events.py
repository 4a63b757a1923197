"""Any value in place of an event is read, or rejected with one clear error."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from migrator.errors import EventError
from migrator.events import RolesRequest, UpgradeRequest, request_type

NAMES = [
    "RequestType",
    "ResourceProperties",
    "OldResourceProperties",
    "MigrationsDigest",
    "Revisions",
    "Owner",
    "Users",
]
NAMES += ["RevokePublic", "Database"]
VALUES = ["Create", "Update", "Delete", "0" * 64, "app_owner", "\0", "x" * 1000]

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(VALUES)
keys = st.sampled_from(NAMES) | st.text(max_size=4)
json = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=20
)
properties = st.fixed_dictionaries({}, optional=dict.fromkeys(NAMES[3:], json)) | json
events = st.fixed_dictionaries(
    {}, optional={"RequestType": json, "ResourceProperties": properties, "OldResourceProperties": properties}
)


@pytest.mark.parametrize("read", [request_type, UpgradeRequest.from_event, RolesRequest.from_event])
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is no defect
@given(event=events)
def test_any_event_is_read_or_rejected_in_one_line(read: Any, event: dict[str, object]) -> None:
    message = rejection(read, event)
    assert message is None or ("must be" in message and "\n" not in message and len(message) < 900)


def rejection(read: Any, event: dict[str, object]) -> str | None:
    try:
        read(event)
    except EventError as exc:
        return str(exc)
    return None
