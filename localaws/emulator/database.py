"""RDS DB instances with a real PostgreSQL behind them. ministack's own are records without a database."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from localaws import postgres
from localaws.certificates import Certificates
from localaws.emulator.identity import EmulatedIam
from localaws.emulator.ministack import (
    Attributes,
    Properties,
    ResourceType,
    account_and_region,
    after_database_action,
    database_attributes,
    database_instance,
    is_database_replaced,
    replace_database_deletion,
)
from localaws.postgres import PostgresSettings, RunningPostgres
from localaws.run import Run

TYPE = "AWS::RDS::DBInstance"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Databases:
    """The running databases, by instance identifier. Other processes learn of them from files of the run."""

    certificates: Certificates
    run: Run
    running: dict[str, RunningPostgres] = field(default_factory=dict)

    def register(self) -> None:
        """Put a PostgreSQL behind every DB instance that CloudFormation makes from now on."""
        after_database_action("StopDBInstance", lambda identifier: self._change(identifier, RunningPostgres.suspend))
        after_database_action("StartDBInstance", lambda identifier: self._change(identifier, RunningPostgres.resume))
        after_database_action("RebootDBInstance", lambda identifier: self._change(identifier, RunningPostgres.restart))
        after_database_action("DeleteDBInstance", self._stop)
        record_only = ResourceType.registered(TYPE)
        if record_only.update is None:
            raise RuntimeError(f"ministack no longer updates {TYPE}")
        change_record = record_only.update

        def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, Attributes]:
            identifier, _ = record_only.create(logical_id, properties, stack)
            return start(identifier, properties)

        def start(identifier: str, properties: Properties) -> tuple[str, Attributes]:
            try:
                self._start(identifier)
            except Exception:
                record_only.delete(identifier, properties)
                raise
            return identifier, database_attributes(database_instance(identifier))

        def update(
            identifier: str, old: Properties, new: Properties, stack: str, logical_id: str
        ) -> tuple[str, Attributes]:
            if not is_database_replaced(old, new):
                _refuse_what_needs_a_restart(old, new)
            answer = change_record(identifier, old, new, stack, logical_id)
            return answer if answer[0] == identifier else start(answer[0], new)

        def delete(identifier: str, properties: Properties) -> None:
            _refuse_when_protected(identifier)
            self._stop(identifier)
            record_only.delete(identifier, properties)

        ResourceType(create, delete, update).register(TYPE, slow=True)
        replace_database_deletion(delete)

    def stop(self) -> None:
        """Stop all of them."""
        for identifier in list(self.running):
            self._stop(identifier)

    def _start(self, identifier: str) -> None:
        record = database_instance(identifier)
        account, region = account_and_region()
        resource = f"arn:aws:rds-db:{region}:{account}:dbuser:{record['DbiResourceId']}"
        settings = PostgresSettings(
            master_username=record["MasterUsername"],
            master_password=record["_MasterUserPassword"],
            database=record["DBName"],
            region=region,
            iam=record["IAMDatabaseAuthenticationEnabled"],
        )
        authority = EmulatedIam(account, region, resource, self.run.logins)
        server = postgres.start(
            settings, authority=authority, certificates=self.certificates, version=_version(record["EngineVersion"])
        )
        self.running[identifier] = server
        record["Endpoint"].update(Address=server.host, Port=server.port)
        self._write_report()
        log.info("%s is PostgreSQL %s (%s) on port %s", identifier, server.server_version, server.kind, server.port)

    def _change(self, identifier: str, change: Callable[[RunningPostgres], None]) -> None:
        """Change the server behind an instance. An instance that CloudFormation did not make has none."""
        if server := self.running.get(identifier):
            change(server)

    def _stop(self, identifier: str) -> None:
        server = self.running.pop(identifier, None)
        if server is None:
            return
        with suppress(Exception):  # a database that does not stop must not keep a stack from being removed
            server.stop()
        self._write_report()

    def _write_report(self) -> None:
        databases = [
            {"identifier": name, "kind": server.kind, "version": server.server_version, "host": server.host}
            | {"port": server.port, "name": database_instance(name)["DBName"]}
            for name, server in self.running.items()
        ]
        self.run.databases.write_text(json.dumps(databases))


def _version(engine_version: str) -> int:
    """Return the major version."""
    return int(engine_version.partition(".")[0])


def _refuse_when_protected(identifier: str) -> None:
    """As RDS does, and ministack's CloudFormation does not."""
    with suppress(KeyError):
        if database_instance(identifier)["DeletionProtection"]:
            raise ValueError("Cannot delete protected DB Instance, please disable deletion protection and try again.")


def _refuse_what_needs_a_restart(old: Properties, new: Properties) -> None:
    """Refuse, rather than feign, a change that the record would show and the running database would not follow."""
    fixed = ("EnableIAMDatabaseAuthentication", "MasterUserPassword", "EngineVersion", "Port")
    changed = [name for name in fixed if old.get(name) != new.get(name)]
    if changed:
        raise ValueError(f"changing {', '.join(changed)} of a running DB instance is not emulated")
