"""The example stack: a private database, its schema as a part of the deployment, and a function that uses it."""

from aws_cdk import CfnOutput, Environment, Fn, Stack
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.database import LOG_EXPORTS, Database
from infra.existing_database import ExistingDatabase
from infra.monitoring import Monitoring
from infra.network import Network
from infra.querier import Querier
from infra.settings import Settings, Stage
from rds_alembic import AlembicUpgrade, DatabaseLogs, DatabaseOperations, DatabaseRoles, FunctionOptions, Protection


class PrivateDatabaseStack(Stack):
    """All resources of one `cdk deploy`."""

    def __init__(self, scope: Construct, construct_id: str, *, settings: Settings, env: Environment) -> None:
        # Set before the constructor of the base class, which reads `availability_zones`.
        self._zones = settings.network.availability_zones
        super().__init__(
            scope,
            construct_id,
            env=env,
            description="A private PostgreSQL database whose schema is deployed with it",
            termination_protection=settings.termination_protection,
        )
        options: FunctionOptions = {
            "architecture": settings.architecture,
            "local_wheels": settings.local_wheels,
            "log_retention": settings.log_retention,
            "log_removal_policy": settings.log_removal_policy,
        }
        egress = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS)
        database: Database | ExistingDatabase
        database_logs = None
        if settings.existing_database:
            database = ExistingDatabase(self, "Database", settings=settings.existing_database)
        else:
            network = Network(
                self,
                "Network",
                settings=settings.network,
                log_retention=settings.log_retention,
                log_removal_policy=settings.log_removal_policy,
            )
            database = Database(self, "Database", vpc=network.vpc, settings=settings.database)
            database_logs = DatabaseLogs(
                self, "DatabaseLogs", database=database.instance, exports=LOG_EXPORTS, **options
            )
        upgrade = AlembicUpgrade(
            self,
            "Upgrade",
            project=settings.alembic_project,
            include=settings.include,
            requirements=settings.requirements,
            vpc=database.vpc,
            vpc_subnets=egress,
            database=database.instance,
            database_name=settings.database.name,
            db_user=settings.roles.migrator,
            rds_ca=settings.rds_ca,
            lock_timeout_seconds=settings.lock_timeout_seconds,
            baseline=settings.baseline,
            accept_differences=settings.accept_differences,
            allow_ahead=settings.allow_ahead,
            rerun=settings.rerun,
            **options,
        )
        users = dict.fromkeys([*upgrade.database_users, *settings.users])
        roles = DatabaseRoles(
            self,
            "Roles",
            vpc=database.vpc,
            vpc_subnets=egress,
            database=database.instance,
            database_name=settings.database.name,
            rds_ca=settings.rds_ca,
            master_user=settings.database.master,
            master_secret=database.master_secret,
            owner=settings.roles.owner,
            migrator=settings.roles.migrator,
            users=list(users),
            reader=settings.roles.reader,
            reader_reads_all=settings.stage is not Stage.PROD,
            # Other applications may connect to an existing database with the privileges of PUBLIC.
            revoke_public=settings.existing_database is None,
            hand_over_from=settings.roles.hand_over_from,
            hand_back_to=settings.roles.hand_back_to,
            extensions=settings.roles.extensions,
            baseline=settings.baseline,
            rerun=settings.rerun,
            **options,
        )
        roles.execute_before(upgrade.resource)
        DatabaseOperations(
            self,
            "Operations",
            upgrade=upgrade,
            roles=roles,
            allow_downgrade=settings.allow_downgrade,
            vpc=database.vpc,
            vpc_subnets=egress,
            rds_ca=settings.rds_ca,
            **options,
        )
        querier: Querier | None = None
        if settings.has_querier:
            querier = Querier(
                self,
                "Querier",
                schedule=settings.querier_schedule,
                vpc=database.vpc,
                vpc_subnets=egress,
                database=database.instance,
                database_name=settings.database.name,
                db_user=settings.roles.querier,
                rds_ca=settings.rds_ca,
                **options,
            )
            upgrade.execute_before(querier.schedule)
        Monitoring(
            self,
            "Monitoring",
            subscribers=settings.alarm_subscribers,
            database=database.instance,
            database_logs=database_logs,
            upgrade=upgrade,
            querier=querier,
            metrics_namespace="PrivateDatabase",
        )
        if settings.stage is Stage.PROD and not settings.existing_database:
            others = self.node.children
            Protection(
                self,
                "Protection",
                database=database.instance,
                deletion_protection=settings.database.deletion_protection,
                **options,
            ).wrap(others)

        CfnOutput(self, "DatabaseEndpoint", value=database.instance.db_instance_endpoint_address)
        CfnOutput(self, "DatabaseName", value=settings.database.name)
        CfnOutput(self, "Revision", value=upgrade.revision)
        CfnOutput(self, "RevisionsApplied", value=upgrade.revisions_applied)
        CfnOutput(self, "UpgradeSeconds", value=upgrade.seconds)
        CfnOutput(self, "Schema", value=upgrade.schema)
        if querier:
            CfnOutput(self, "QuerierFunction", value=querier.handler.function.function_name)
            CfnOutput(self, "DeadLetterQueue", value=querier.dead_letters.queue_url)

    @property
    def availability_zones(self) -> list[str]:
        """The zones by index. The names of the zones would need credentials at synth."""
        return [Fn.select(index, Fn.get_azs()) for index in range(self._zones)]
