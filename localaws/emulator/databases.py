"""RDS DB instances with a real PostgreSQL. ministack's own instances are records without a database."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from localaws import rds
from localaws.certificates import CertificateAuthority
from localaws.emulator.instance import EmulatorInstance
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
from localaws.emulator.token_verifier import EmulatorTokenVerifier
from localaws.rds import RdsInstance, RdsSettings

TYPE = "AWS::RDS::DBInstance"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Databases:
    """The running databases, by identifier. Files of the emulator instance list them for other processes."""

    certificates: CertificateAuthority
    instance: EmulatorInstance
    running: dict[str, RdsInstance] = field(default_factory=dict)

    def register(self) -> None:
        """Start a PostgreSQL for each DB instance that CloudFormation creates from now on."""
        self._register_actions()
        record_only = ResourceType.registered(TYPE)
        if record_only.update is None:
            raise RuntimeError(f"ministack must have an update handler for {TYPE}")
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
                _reject_unsupported_changes(old, new)
            changed = change_record(identifier, old, new, stack, logical_id)
            return changed if changed[0] == identifier else start(changed[0], new)

        def delete(identifier: str, properties: Properties) -> None:
            _reject_protected(identifier)
            self._stop(identifier)
            record_only.delete(identifier, properties)

        ResourceType(create, delete, update).register(TYPE, slow=True)
        replace_database_deletion(delete)

    def stop(self) -> None:
        """Stop all databases."""
        for identifier in list(self.running):
            self._stop(identifier)

    def _register_actions(self) -> None:
        """Stop, start and reboot the server with its instance."""
        after_database_action("StopDBInstance", lambda identifier: self._change(identifier, RdsInstance.suspend))
        after_database_action("StartDBInstance", lambda identifier: self._change(identifier, RdsInstance.resume))
        after_database_action("RebootDBInstance", lambda identifier: self._change(identifier, RdsInstance.restart))
        after_database_action("DeleteDBInstance", self._stop)

    def _start(self, identifier: str) -> None:
        record = database_instance(identifier)
        account, region = account_and_region()
        resource = f"arn:aws:rds-db:{region}:{account}:dbuser:{record['DbiResourceId']}"
        settings = RdsSettings(
            master_username=record["MasterUsername"],
            master_password=record["_MasterUserPassword"],
            database=record["DBName"],
            region=region,
            iam=record["IAMDatabaseAuthenticationEnabled"],
        )
        verifier = EmulatorTokenVerifier(account, region, resource, self.instance.logins)
        version = int(record["EngineVersion"].partition(".")[0])
        server = rds.start(settings, token_verifier=verifier, certificates=self.certificates, version=version)
        self.running[identifier] = server
        record["Endpoint"].update(Address=server.host, Port=server.port)
        self._write_report()
        log.info("%s is PostgreSQL %s (%s) on port %s", identifier, server.server_version, server.kind, server.port)

    def _change(self, identifier: str, change: Callable[[RdsInstance], None]) -> None:
        """Change the server of an instance. An instance that CloudFormation did not create has no server."""
        if server := self.running.get(identifier):
            change(server)

    def _stop(self, identifier: str) -> None:
        server = self.running.pop(identifier, None)
        if server is None:
            return
        with suppress(Exception):  # CloudFormation removes the instance even if the server does not stop
            server.stop()
        self._write_report()

    def _write_report(self) -> None:
        databases = [
            {"identifier": name, "kind": server.kind, "version": server.server_version, "host": server.host}
            | {"port": server.port, "name": database_instance(name)["DBName"]}
            for name, server in self.running.items()
        ]
        self.instance.databases.write_text(json.dumps(databases))


def _reject_protected(identifier: str) -> None:
    """Reject the deletion of a protected instance, as RDS does. ministack's CloudFormation deletes it."""
    with suppress(KeyError):
        if database_instance(identifier)["DeletionProtection"]:
            raise ValueError("Cannot delete protected DB Instance, please disable deletion protection and try again.")


def _reject_unsupported_changes(old: Properties, new: Properties) -> None:
    """Reject a change of the record that the running database would not follow."""
    fixed = ("EnableIAMDatabaseAuthentication", "MasterUserPassword", "EngineVersion", "Port")
    changed = [name for name in fixed if old.get(name) != new.get(name)]
    if changed:
        raise ValueError(f"the emulator does not support changes of {', '.join(changed)} of a running DB instance")
