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
# The longest that CloudFormation waits for a custom resource.
MAX_TIMEOUT_SECONDS = 3600.0


def request_type(event: Event) -> RequestType:
    """Return Create, Update or Delete; raises EventError for anything else."""
    kind = event.get("RequestType")
    allowed = get_args(RequestType.__value__)
    if kind not in allowed:
        raise EventError(f"RequestType is {_shown(kind)}, allowed are {', '.join(allowed)}")
    return cast("RequestType", kind)


@dataclass(frozen=True)
class UpgradeRequest:
    """Properties of Custom::AlembicUpgrade, and the state of the deployment that sent them.

    - `revisions`: the history of this deployment, from base to head
    - `old_revisions`: that of the deployment before, if that used the same database
    - `request_id`: the same in all invocations for one event
    - `baseline`: the revision whose schema the database has already, by the user's word
    - `allow_ahead`: the revisions at which the database may stay although this deployment does not have them
    - `rolling_back`: whether the stack is rolling back; None if CloudFormation did not tell
    - `started_at`: the Unix time of the event, in seconds
    - `timeout_seconds`: the time after which CloudFormation gives the custom resource up
    """

    migrations_digest: str
    revisions: tuple[str, ...]
    old_revisions: tuple[str, ...] = ()
    stack_id: str = ""
    request_id: str = ""
    baseline: str = ""
    allow_ahead: frozenset[str] = frozenset()
    rolling_back: bool | None = False
    started_at: float | None = None
    timeout_seconds: float = MAX_TIMEOUT_SECONDS

    @property
    def head(self) -> str:
        """The last revision: `revisions` run from base to head."""
        return self.revisions[-1]

    @property
    def is_rollback(self) -> bool:
        """True for a rollback; if CloudFormation did not tell, true for properties that look like one."""
        if self.rolling_back is None:
            return set(self.revisions) < set(self.old_revisions)
        return self.rolling_back

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read a Create or an Update; raises EventError that lists every problem."""
        properties = _Properties(event, "ResourceProperties")
        digest = properties.text("MigrationsDigest")
        if digest and not _DIGEST.fullmatch(digest):
            properties.problem("MigrationsDigest", digest, "64 hexadecimal digits")
        revisions = properties.names("Revisions")
        if "Revisions" not in properties.wrong and not revisions:
            properties.problem("Revisions", [], "one revision at least")
        baseline = properties.optional_text("Baseline")
        if baseline and revisions and baseline not in revisions:
            properties.problem("Baseline", baseline, "a revision of this deployment")
        allow_ahead = properties.optional_text("AllowAhead")
        timeout = properties.seconds("TimeoutSeconds", default=MAX_TIMEOUT_SECONDS)
        properties.check()
        return cls(
            migrations_digest=digest,
            revisions=revisions,
            old_revisions=_old_revisions(event),
            stack_id=str(event.get("StackId", "")),
            request_id=str(event.get("RequestId", "")),
            baseline=baseline,
            allow_ahead=frozenset(name.strip() for name in allow_ahead.split(",") if name.strip()),
            rolling_back=_rolling_back(event),
            started_at=float(str(event["StartedAt"])) if "StartedAt" in event else None,
            timeout_seconds=timeout,
        )


def _old_revisions(event: Event) -> tuple[str, ...]:
    """Return the revisions of the deployment before; those of another database say nothing about this one."""
    if request_type(event) != "Update":
        return ()
    properties, old = _Properties(event, "ResourceProperties"), _Properties(event, "OldResourceProperties")
    database, old_database = properties.values.get("Database"), old.values.get("Database")
    if database and old_database and database != old_database:
        return ()
    return old.names("Revisions")


def _rolling_back(event: Event) -> bool | None:
    if request_type(event) != "Update":
        return False
    value = event.get("RollingBack")
    return value if isinstance(value, bool) else None


@dataclass(frozen=True)
class DatabaseIdentity:
    """The property that tells a database from another one. Texts that are not known are empty."""

    name: str = ""
    endpoint: str = ""
    resource_id: str = ""

    def is_same(self, other: Self) -> bool:
        """Return whether both are the same database, as far as is known: an endpoint may be renamed, an id never is."""
        if not (self.name and other.name):
            return True  # from a release that did not name the database
        if self.resource_id and other.resource_id:
            return (self.resource_id, self.name) == (other.resource_id, other.name)
        return (self.endpoint, self.name) == (other.endpoint, other.name)


@dataclass(frozen=True)
class RolesRequest:
    """Properties of Custom::DatabaseRoles: who owns the schema, who changes it, who uses it.

    `revoke_public` takes from PUBLIC what PostgreSQL gives it on each database.
    """

    owner: str
    migrator: str
    users: tuple[str, ...] = ()
    revoke_public: bool = True
    database: DatabaseIdentity = DatabaseIdentity()

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
        request = cls(
            owner=properties.text("Owner"),
            migrator=properties.text("Migrator"),
            users=properties.names("Users"),
            revoke_public=properties.flag("RevokePublic", default=True),
            database=properties.identity("Database"),
        )
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

    def optional_text(self, name: str) -> str:
        value = self.values.get(name, "")
        if isinstance(value, str):
            return value
        self.problem(name, value, "a text")
        return ""

    def seconds(self, name: str, *, default: float) -> float:
        value = self.values.get(name, str(default))
        if isinstance(value, str) and value.isascii() and value.isdigit() and int(value) > 0:
            return float(value)
        if name in self.values:
            self.problem(name, value, "a whole number of seconds above 0, as a text")
        return default

    def names(self, name: str) -> tuple[str, ...]:
        value = self.values.get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
            self.problem(name, value, "a list of names")
            return ()
        if len(set(value)) != len(value):
            self.problem(name, value, "each name once")
        return tuple(value)

    def flag(self, name: str, *, default: bool) -> bool:
        """Read a truth value, which CloudFormation sends as a text."""
        value = self.values.get(name, str(default).lower())
        if value not in ("true", "false"):
            self.problem(name, value, "true or false")
        return value == "true"

    def identity(self, name: str) -> DatabaseIdentity:
        value = self.values.get(name, {})
        if not isinstance(value, Mapping) or not all(isinstance(item, str) for item in value.values()):
            self.problem(name, value, "a map of texts")
            return DatabaseIdentity()
        return DatabaseIdentity(value.get("Name", ""), value.get("Endpoint", ""), value.get("ResourceId", ""))

    def problem(self, name: str, value: object, allowed: str) -> None:
        self.wrong[name] = f"{name} is {_shown(value)}, allowed: {allowed}"

    def check(self) -> None:
        if self.wrong:
            raise EventError(f"bad {self.key}: {'; '.join(self.wrong.values())}")


def _shown(value: object) -> str:
    shown = "missing" if value is None else repr(value)
    return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "..."
