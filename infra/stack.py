"""The stack: a private database, its schema as a part of the deployment, and a function that uses it."""

from dataclasses import asdict

from aws_cdk import Annotations, CfnOutput, Environment, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.database import LOG_EXPORTS, Database
from infra.network import Network
from infra.querier import Querier
from infra.settings import Settings, Stage
from rds_alembic.constructs.alembic_upgrade import AlembicUpgrade
from rds_alembic.constructs.database_logs import DatabaseLogs
from rds_alembic.constructs.database_roles import DatabaseRoles
from rds_alembic.constructs.postgres_function import Login
from rds_alembic.constructs.protection import Protection
from rds_alembic.constructs.python_function import Place


class PrivateDatabaseStack(Stack):
    """Everything that one `cdk deploy` brings up."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, env: Environment) -> None:
        # Before the constructor: jsii asks for the zones while the base class is being made.
        self._zones = settings.network.availability_zones
        super().__init__(
            scope,
            construct_id,
            env=env,
            description="A private PostgreSQL database whose schema is deployed with it",
            termination_protection=settings.termination_protection,
        )
        functions, roles = settings.functions, settings.roles
        network = Network(self, "Network", settings=settings.network, log_settings=functions.logs)
        database = Database(self, "Database", vpc=network.vpc, settings=settings.database)
        DatabaseLogs(self, "DatabaseLogs", instance=database.instance, exports=LOG_EXPORTS, settings=functions)
        place = Place(vpc=network.vpc, subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS))

        def login(user: str) -> Login:
            return Login(server=database.instance, database=settings.database.name, user=user, rds_ca=settings.rds_ca)

        database_roles = DatabaseRoles(
            self,
            "Roles",
            login=login(settings.database.master),
            master_secret=database.master_secret,
            owner=roles.owner,
            migrator=roles.migrator,
            users=[roles.querier],
            rerun=settings.upgrade.rerun,
            place=place,
            settings=functions,
        )
        upgrade = AlembicUpgrade(
            self,
            "Upgrade",
            project=settings.alembic_project,
            lock_timeout_seconds=settings.lock_timeout_seconds,
            **asdict(settings.upgrade),
            login=login(roles.migrator),
            place=place,
            settings=functions,
        )
        querier = Querier(
            self,
            "Querier",
            schedule=settings.querier_schedule,
            login=login(roles.querier),
            place=place,
            settings=functions,
        )
        upgrade.resource.node.add_dependency(database_roles.resource)
        querier.schedule.node.add_dependency(upgrade.resource)
        if settings.stage is Stage.PROD:
            self._protect(database, settings)

        # `cdk synth` and `cdk deploy` print it. Remove it, or acknowledge it, when the alarms have an action.
        Annotations.of(self).add_warning_v2(
            "PrivateDatabase:alarmsNotifyNobody",
            "The alarms of this stack notify nobody: give each an action in infra/stack.py, for example "
            "querier.failed_alarm.add_alarm_action(SnsAction(topic)). See docs/decisions.md#the-stack",
        )
        CfnOutput(self, "DatabaseEndpoint", value=database.instance.db_instance_endpoint_address)
        CfnOutput(self, "DatabaseName", value=settings.database.name)
        CfnOutput(self, "QuerierFunction", value=querier.function.function_name)
        CfnOutput(self, "Revision", value=upgrade.revision)
        CfnOutput(self, "RevisionsApplied", value=upgrade.revisions_applied)
        CfnOutput(self, "UpgradeSeconds", value=upgrade.seconds)
        CfnOutput(self, "Schema", value=upgrade.schema)
        CfnOutput(self, "DeadLetterQueue", value=querier.dead_letters.queue_url)

    def _protect(self, database: Database, settings: Settings) -> None:
        """Protect the stack and the database, in a way that a failed first deployment can be rolled back."""
        parts = [part for part in self.node.children if isinstance(part, Construct)]
        protection = Protection(self, "Protection", settings=settings.functions)
        last = protection.protect(database.instance, protected=settings.database.deletion_protection)
        protection.wrap(parts, last)

    @property
    def availability_zones(self) -> list[str]:
        """Let the region name its zones when it is deployed to: asking it at synth would take credentials."""
        return [Fn.select(index, Fn.get_azs()) for index in range(self._zones)]
