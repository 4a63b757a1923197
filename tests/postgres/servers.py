"""The servers of the tests: their master user is not a superuser, and the functions log in with tokens."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import connection as Connection  # noqa: N812 - psycopg2 spells its class in lower case

from localaws.postgres import DEFAULT_VERSION, find_programs
from localaws.rds import Credential, RdsInstance, RdsSettings
from rds_iam.settings import DatabaseSettings
from rds_iam.token import generate_token
from tests.connections import connect_verified
from tests.token_verifiers import StaticTokenVerifier

REGION = "eu-central-1"
RESOURCE = f"arn:aws:rds-db:{REGION}:000000000000:dbuser:db-ABCDEFGHIJKL"
KEYS = {
    "AWS_ACCESS_KEY_ID": "ASIAEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "secret of the test",
    "AWS_SESSION_TOKEN": "session of the test",
}
SETTINGS = RdsSettings(master_username="postgres", master_password="master password", database="app", region=REGION)
CREDENTIAL = Credential(
    secret=KEYS["AWS_SECRET_ACCESS_KEY"], session_token=KEYS["AWS_SESSION_TOKEN"], allow=(f"{RESOURCE}/*",)
)


def token_verifier() -> StaticTokenVerifier:
    """Return a verifier that accepts tokens for all users, signed with the key in `KEYS`."""
    return StaticTokenVerifier(REGION, RESOURCE, {KEYS["AWS_ACCESS_KEY_ID"]: CREDENTIAL})


@dataclass(frozen=True)
class Cluster:
    """A running server whose database and roles a test may change; `reset` removes the changes."""

    postgres: RdsInstance

    def settings(self, user: str) -> DatabaseSettings:
        """Return the settings of a function that logs in as this user."""
        server = self.postgres
        return DatabaseSettings(server.host, server.port, SETTINGS.database, user, server.ca_path, REGION)

    def environ(self, user: str) -> dict[str, str]:
        """Return the environment of a function that logs in as this user."""
        settings = self.settings(user)
        return {
            **KEYS,
            "AWS_REGION": REGION,
            "PGHOST": settings.host,
            "PGPORT": str(settings.port),
            "PGDATABASE": settings.database,
            "PGUSER": user,
            "PGSSLROOTCERT": str(settings.ssl_root_cert),
        }

    def connect(self, user: str, *, password: str, database: str = SETTINGS.database, **options: Any) -> Connection:
        """Log in once, through the proxy; `options` are psycopg2's."""
        return connect_verified(
            self.postgres.host,
            self.postgres.port,
            database=database,
            user=user,
            password=password,
            ca_path=self.postgres.ca_path,
            **options,
        )

    @contextmanager
    def connect_as_master(self, database: str = SETTINGS.database) -> Iterator[Connection]:
        """Log in as the master user, by password."""
        connection = self.connect(SETTINGS.master_username, password=SETTINGS.master_password, database=database)
        try:
            yield connection
        finally:
            connection.close()

    def connect_with_token(self, user: str, **options: Any) -> Connection:
        """Log in once with a new token; the caller closes the connection."""
        return self.connect(user, password=generate_token(self.settings(user), KEYS), **options)

    def admin(self, sql: str) -> list[tuple[object, ...]]:
        """Run statements as the superuser of the server and return the rows of the last one."""
        return self.postgres.admin(sql)

    def dump(self, *options: str) -> str:
        """Return the output of pg_dump for the database."""
        server = self.postgres
        address = f"host={server.host} port={server.port} dbname={SETTINGS.database} sslmode=require"
        login = {"PGUSER": SETTINGS.master_username, "PGPASSWORD": SETTINGS.master_password}
        program = [str(find_programs(DEFAULT_VERSION) / "pg_dump"), *options, address]
        return subprocess.run(program, env=login, capture_output=True, text=True, check=True).stdout

    def dump_schema(self) -> str:
        """Return the output of pg_dump for the schema, without the lines that differ between calls."""
        lines = self.dump("--schema-only").splitlines()
        return "\n".join(line for line in lines if not _DIFFERS.search(line))

    def reset(self) -> None:
        """Create the database again, empty, and drop the roles that a test has created."""
        database, master = quoted(SETTINGS.database), quoted(SETTINGS.master_username)
        with self.postgres.access.session("postgres") as admin, admin.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {database} WITH (FORCE)")
            cursor.execute(_DROP_ROLES_OF_TESTS)
            # Copying the files is half the work without fsync.
            cursor.execute(f"CREATE DATABASE {database} OWNER {master} STRATEGY FILE_COPY")


# Comments, a random key, and the counter of each column in Debian's build of PostgreSQL.
_DIFFERS = re.compile(r"^--|^\\|SET \(pg_attver=")
# Objects of the server itself have ids below 16384.
_DROP_ROLES_OF_TESTS = f"""
DO $$
DECLARE role text;
BEGIN
    FOR role IN
        SELECT rolname FROM pg_roles
        WHERE oid >= 16384 AND rolname !~ '^rds' AND rolname <> '{SETTINGS.master_username}'
    LOOP
        EXECUTE format('DROP ROLE %I', role);
    END LOOP;
END $$
"""


def quoted(name: str) -> str:
    """Return an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'
