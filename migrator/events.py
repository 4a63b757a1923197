"""Convert CloudFormation's events to values. Only entry points see events.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Self, cast, get_args

from migrator.database_identity import DatabaseIdentity
from migrator.errors import EventError
from migrator.properties import Properties, shorten

type Event = Mapping[str, object]
type RequestType = Literal["Create", "Update", "Delete"]

_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_ROLE_NAME_BYTES = 63  # NAMEDATALEN - 1: PostgreSQL truncates longer names
# The longest time that CloudFormation waits for a custom resource.
MAX_TIMEOUT_SECONDS = 3600


def request_type(event: Event) -> RequestType:
    """Return Create, Update or Delete. Raises EventError for any other event."""
    kind = event.get("RequestType")
    if kind not in get_args(RequestType.__value__):
        raise EventError(f"RequestType must be Create, Update or Delete (got {shorten(kind)})")
    return cast("RequestType", kind)


@dataclass(frozen=True)
class UpgradeRequest:
    """The properties of Custom::AlembicUpgrade, and the state of the deployment that sent them.

    - `migrations_digest`: the digest of the migration files
    - `environment_digest`: the digest of the user's environment variables
    - `revisions`: the revisions of this deployment, from base to head
    - `old_revisions`: the revisions of the previous deployment, if it used the same database
    - `resource`: the logical id of the custom resource
    - `request_id`: the same in all invocations for one event
    - `baseline`: the revision whose schema the database already has, according to the user
    - `baseline_database`: the empty database in which the baseline is built for a comparison; without it, there is none
    - `accept_differences`: the digest of the differences that the comparison may find; `all`: no comparison
    - `allow_ahead`: the revisions at which the database may stay although this deployment does not have them
    - `rolling_back`: whether the stack is rolling back; None if CloudFormation did not answer
    - `started_at`: the Unix time of the event, in seconds
    - `timeout_seconds`: the time after which CloudFormation fails the custom resource
    """

    migrations_digest: str
    revisions: tuple[str, ...]
    old_revisions: tuple[str, ...] = ()
    stack_id: str = ""
    resource: str = ""
    request_id: str = ""
    baseline: str = ""
    baseline_database: str = ""
    accept_differences: str = ""
    allow_ahead: frozenset[str] = frozenset()
    rolling_back: bool | None = False
    started_at: float | None = None
    timeout_seconds: int = MAX_TIMEOUT_SECONDS
    environment_digest: str = ""

    @property
    def head(self) -> str:
        """The last revision: `revisions` run from base to head."""
        return self.revisions[-1]

    @property
    def is_rollback(self) -> bool:
        """True for a rollback. If CloudFormation did not answer, the old properties decide."""
        if self.rolling_back is None:
            return set(self.revisions) < set(self.old_revisions)
        return self.rolling_back

    @classmethod
    def from_event(cls, event: Event) -> Self:
        """Read a Create or an Update. Raises EventError that lists every problem."""
        properties = Properties(event)
        digest = properties.text("MigrationsDigest")
        if digest and not _DIGEST.fullmatch(digest):
            properties.reject("MigrationsDigest", digest, "64 hexadecimal digits")
        revisions = properties.names("Revisions")
        if "Revisions" not in properties.problems and not revisions:
            properties.reject("Revisions", [], "a list of one or more revisions")
        baseline = properties.optional_text("Baseline")
        if baseline and revisions and baseline not in revisions:
            properties.reject("Baseline", baseline, "a revision of this deployment")
        baseline_database = properties.optional_text("BaselineDatabase")
        accept_differences = properties.optional_text("AcceptDifferences")
        allow_ahead = properties.optional_text("AllowAhead")
        environment = properties.optional_text("EnvironmentDigest")
        timeout = properties.whole_number("TimeoutSeconds", unit="seconds", default=MAX_TIMEOUT_SECONDS)
        properties.check()
        return cls(
            migrations_digest=digest,
            revisions=revisions,
            old_revisions=_old_revisions(event),
            stack_id=str(event.get("StackId", "")),
            resource=str(event.get("LogicalResourceId", "")),
            request_id=str(event.get("RequestId", "")),
            baseline=baseline,
            baseline_database=baseline_database,
            accept_differences=accept_differences,
            allow_ahead=frozenset(name.strip() for name in allow_ahead.split(",") if name.strip()),
            rolling_back=_rolling_back(event),
            started_at=float(str(event["StartedAt"])) if "StartedAt" in event else None,
            timeout_seconds=timeout,
            environment_digest=environment,
        )


def _old_revisions(event: Event) -> tuple[str, ...]:
    """Return the revisions of the previous deployment, or no revision if that used another database."""
    if request_type(event) != "Update":
        return ()
    properties, old = Properties(event), Properties(event, "OldResourceProperties")
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
class RolesRequest:
    """The properties of Custom::DatabaseRoles.

    - `owner`: the role that owns the schema and cannot log in
    - `migrator`: the login role that changes the schema
    - `users`: the login roles that use the schema
    - `reader`: the login role of the function that reads for operators; empty if there is no such function
    - `reader_reads_all`: whether the reader may read all tables, without a grant
    - `revoke_public`: whether to revoke the privileges that PostgreSQL grants to PUBLIC on each database
    - `database`: the database that the roles are set up for
    - `hand_over_from`: the roles whose objects the owner gets
    - `hand_back_to`: the role that gets the objects of the owner
    - `extensions`: the extensions to create
    - `baseline_database`: the name of the empty database in which an upgrade compares its baseline
    """

    owner: str
    migrator: str
    users: tuple[str, ...] = ()
    reader: str = ""
    reader_reads_all: bool = False
    revoke_public: bool = True
    database: DatabaseIdentity = field(default_factory=DatabaseIdentity)
    hand_over_from: tuple[str, ...] = ()
    hand_back_to: str = ""
    extensions: tuple[str, ...] = ()
    baseline_database: str = ""

    @property
    def logins(self) -> tuple[str, ...]:
        """The roles that log in with a token."""
        return (self.migrator, *self.users, *filter(None, [self.reader]))

    @property
    def roles(self) -> tuple[str, ...]:
        """All roles of the request."""
        return (self.owner, *self.logins)

    @classmethod
    def from_event(cls, event: Event, key: str = "ResourceProperties") -> Self:
        """Read the properties of a Create or an Update. Raises EventError that lists every problem."""
        properties = Properties(event, key)
        request = cls(
            owner=properties.text("Owner"),
            migrator=properties.text("Migrator"),
            users=properties.names("Users"),
            reader=properties.optional_text("Reader"),
            reader_reads_all=properties.flag("ReaderReadsAll", default=False),
            revoke_public=properties.flag("RevokePublic", default=True),
            database=DatabaseIdentity.from_texts(properties.texts("Database")),
            hand_over_from=properties.names("HandOverFrom", required=False),
            hand_back_to=properties.optional_text("HandBackTo"),
            extensions=properties.names("Extensions", required=False),
            baseline_database=properties.optional_text("BaselineDatabase"),
        )
        for name in filter(None, (*request.roles, *request.hand_over_from, request.hand_back_to)):
            if len(name.encode()) > _MAX_ROLE_NAME_BYTES or "\0" in name or name.startswith(("pg_", "rds")):
                properties.reject(
                    "role name", name, f"up to {_MAX_ROLE_NAME_BYTES} bytes long and not start with pg_ or rds"
                )
        if len(set(request.roles)) != len(request.roles):
            properties.reject("role names", request.roles, "different")
        if request.owner in (*request.hand_over_from, request.hand_back_to):
            properties.reject("HandOverFrom and HandBackTo", request.owner, "other roles than the owner")
        if request.hand_over_from and request.hand_back_to:
            properties.reject("HandBackTo", request.hand_back_to, "empty while HandOverFrom has roles")
        properties.check()
        return request
