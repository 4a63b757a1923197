"""CloudFormation's events, read once and at the edge: everything behind works on these values.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self, cast, get_args

from migrator.errors import EventError

type Event = Mapping[str, object]
type RequestType = Literal["Create", "Update", "Delete"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_ROLE_NAME_BYTES = 63  # NAMEDATALEN - 1: PostgreSQL cuts longer names off in silence
_SHOWN = 80


def request_type(event: Event) -> RequestType:
    """Return Create, Update or Delete; raises EventError for anything else."""
    kind = event.get("RequestType")
    allowed = get_args(RequestType.__value__)
    if kind not in allowed:
        raise EventError(f"RequestType is {_shown(kind)}, allowed are {', '.join(allowed)}")
    return cast("RequestType", kind)


@dataclass(frozen=True)
class UpgradeRequest:
    """Properties of Custom::AlembicUpgrade: the history to bring the database to, and the one deployed before.

    `request_id` is the same in all invocations for one event, which may be several.
    """

    scripts_digest: str
    revisions: tuple[str, ...]
    old_revisions: tuple[str, ...] = ()
    stack_id: str = ""
    request_id: str = ""

    @property
    def head(self) -> str:
        """The last revision: `revisions` run from base to head."""
        return self.revisions[-1]

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read a Create or an Update; raises EventError that lists every problem."""
        properties = _Properties(event, "ResourceProperties")
        digest = properties.text("ScriptsDigest")
        if digest and not _DIGEST.fullmatch(digest):
            properties.problem("ScriptsDigest", digest, "64 hexadecimal digits")
        revisions = properties.names("Revisions")
        if "Revisions" not in properties.wrong and not revisions:
            properties.problem("Revisions", [], "one revision at least")
        old = _Properties(event, "OldResourceProperties") if request_type(event) == "Update" else None
        properties.check()
        return cls(
            scripts_digest=digest,
            revisions=revisions,
            old_revisions=old.names("Revisions") if old else (),
            stack_id=str(event.get("StackId", "")),
            request_id=str(event.get("RequestId", "")),
        )


@dataclass(frozen=True)
class RolesRequest:
    """Properties of Custom::DatabaseRoles: who owns the schema, who changes it, who uses it."""

    owner: str
    migrator: str
    users: tuple[str, ...] = ()

    @property
    def logins(self) -> tuple[str, ...]:
        """The roles that log in by token."""
        return (self.migrator, *self.users)

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role there is to be."""
        return (self.owner, *self.logins)

    @classmethod
    def from_event(cls, event: Event, key: str = "ResourceProperties") -> Self:
        """Read the properties of a Create or an Update; raises EventError that lists every problem."""
        properties = _Properties(event, key)
        request = cls(properties.text("Owner"), properties.text("Migrator"), properties.names("Users"))
        for name in filter(None, request.roles):
            if len(name.encode()) > _MAX_ROLE_NAME_BYTES or "\0" in name or name.startswith(("pg_", "rds")):
                properties.problem(
                    "role name", name, f"up to {_MAX_ROLE_NAME_BYTES} bytes, not starting with pg_ or rds"
                )
        if len(set(request.roles)) != len(request.roles):
            properties.problem("role names", request.roles, "different names")
        properties.check()
        return request


class _Properties:
    """Reads properties and collects what is wrong with them, so that one error tells it all."""

    def __init__(self, event: Event, key: str) -> None:
        value = event.get(key)
        self.key = key
        self.values: Mapping[str, object] = value if isinstance(value, Mapping) else {}
        self.wrong: dict[str, str] = {}

    def text(self, name: str) -> str:
        value = self.values.get(name)
        if isinstance(value, str) and value:
            return value
        self.problem(name, value, "a text")
        return ""

    def names(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.problem(name, value, "a list of names")
            return ()
        if len(set(value)) != len(value):
            self.problem(name, value, "each name once")
        return tuple(value)

    def problem(self, name: str, value: object, allowed: str) -> None:
        self.wrong[name] = f"{name} is {_shown(value)}, allowed: {allowed}"

    def check(self) -> None:
        if self.wrong:
            raise EventError(f"bad {self.key}: {'; '.join(self.wrong.values())}")


def _shown(value: object) -> str:
    shown = "missing" if value is None else repr(value)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
