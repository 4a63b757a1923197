"""`AlembicUpgrade`: the custom resource `Custom::AlembicUpgrade`, which brings a database to the head of its revisions.

The construct knows no application. It takes a database and the folder of an Alembic project.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Unpack

from aws_cdk import CustomResource, Duration, Stack
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from constructs import Construct, IConstruct

from rds_alembic.assets.migrator import check_imports, upgrade_asset
from rds_alembic.constructs.baseline import baseline_database
from rds_alembic.constructs.checks.database import PostgresDatabase
from rds_alembic.constructs.checks.values import check_lock_timeout, check_path, check_paths
from rds_alembic.constructs.postgres_function import PostgresFunction
from rds_alembic.constructs.provider import Provider
from rds_alembic.constructs.python_function import FunctionOptions, PythonFunction
from rds_alembic.errors import RdsAlembicError
from rds_alembic.revisions.alembic_project import AlembicProject

TIMEOUT = Duration.minutes(14)  # the framework's function waits for the answer, and has 15 minutes
MEMORY_MIB = 512
TOTAL_TIMEOUT = Duration.hours(1)  # CloudFormation's maximum for a custom resource


class AlembicUpgrade(Construct):
    """`alembic upgrade head` as a part of the deployment. If the upgrade fails, the deployment fails.

    `database_users` are the login roles that the project names for its GRANT statements, for `DatabaseRoles`.

    Raises RdsAlembicError for a project that cannot be deployed.

    - `project`: the folder with alembic.ini, or with a pyproject.toml that has `[tool.alembic]`
    - `include`: folders and modules of Python code that env.py and the revisions import, each under its own name: with
      `src/shop`, they `import shop`; default: nothing
    - `requirements`: a file of locked requirements with hashes, as uv and pip-tools write it. Its versions of Alembic
      (1.13 and newer) and SQLAlchemy (2.0.31 and newer, below 2.2) replace those of the migrator; default: no file
    - `vpc`, `vpc_subnets`, `database`, `database_name`, `db_user`, `rds_ca`: see `PostgresFunction`; `db_user` upgrades
      the schema
    - `lock_timeout_seconds`: the time that a revision waits for a lock on a table, with every other session behind it,
      before it releases its locks and tries again; above 0, up to 300; default: 3
    - `baseline`: the revision of the existing schema, which is recorded and not run; for one deployment; default: "".
      The schema is compared with it first, in a database that `DatabaseRoles` with the same `baseline` creates
    - `accept_differences`: the differences between the schema and the baseline that are accepted, by the digest in the
      message, or "all" to record the baseline without a comparison; for one deployment; default: ""
    - `allow_ahead`: the revisions, separated by commas, at which the database may stay although the project does not
      have them; for one deployment; default: ""
    - `rerun`: any text; a new text runs the upgrade again in an otherwise unchanged deployment; default: ""
    - all others: see `FunctionOptions`

    Upgrades of one database in one stack run one after the other, in the order in which they are created.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        project: Path | str,
        include: Sequence[Path | str] = (),
        requirements: Path | str | None = None,
        vpc: ec2.IVpc,
        vpc_subnets: ec2.SubnetSelection | None = None,
        database: PostgresDatabase,
        database_name: str | None = None,
        db_user: str,
        rds_ca: Path | str | None = None,
        lock_timeout_seconds: float = 3.0,
        baseline: str = "",
        accept_differences: str = "",
        allow_ahead: str = "",
        rerun: str = "",
        **options: Unpack[FunctionOptions],
    ) -> None:
        super().__init__(scope, construct_id)
        self.db_user, self.lock_timeout = db_user, check_lock_timeout(lock_timeout_seconds)
        lock_file = None if requirements is None else check_path("requirements", requirements)
        alembic_project = AlembicProject.read(check_path("project", project), include=check_paths("include", include))
        self.database_users = alembic_project.settings.database_users
        _check_baseline(baseline, alembic_project)
        migrator_options: FunctionOptions = {"memory_size": MEMORY_MIB, **options}
        self.migrations_digest = alembic_project.migrations_digest
        self.migrator = PostgresFunction(
            self,
            "Migrator",
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            database=database,
            database_name=database_name,
            db_user=db_user,
            rds_ca=rds_ca,
            asset=upgrade_asset(alembic_project, lock_file),
            handler="migrator.upgrade_handler.is_complete",
            description="Upgrades the database to the head of its Alembic revisions",
            service="migrator",
            variables={"LOCK_TIMEOUT_SECONDS": self.lock_timeout},
            timeout=TIMEOUT,
            **migrator_options,
        )
        check_imports(alembic_project, self.migrator.asset, self.migrator.platform)
        on_event = PythonFunction(
            self,
            "OnEvent",
            asset=self.migrator.asset,
            handler="migrator.request_handler.on_event",
            description="Checks the request for an upgrade",
            service="migrator",
            timeout=Duration.minutes(1),
            **options,
        )
        on_event.grant_stack_actions("cloudformation:DescribeStacks")  # to recognise a rollback
        provider = Provider(self, "Provider", on_event=on_event, is_complete=self.migrator, total_timeout=TOTAL_TIMEOUT)
        self.resource = CustomResource(
            self,
            "Resource",
            resource_type="Custom::AlembicUpgrade",
            service_token=provider.service_token,
            service_timeout=TOTAL_TIMEOUT,
            properties={
                "MigrationsDigest": self.migrations_digest,
                "Revisions": list(alembic_project.revisions),
                "Database": self.migrator.database_identity,
                "TimeoutSeconds": str(TOTAL_TIMEOUT.to_seconds()),
                "Baseline": baseline,
                "BaselineDatabase": baseline_database(self.migrator.database_name) if baseline else "",
                "AcceptDifferences": accept_differences,
                "AllowAhead": allow_ahead,
                "Rerun": rerun,
                "EnvironmentDigest": self._digest(options.get("environment", {})),
            },
        )
        self.migrator.execute_before(self.resource)
        self._run_after_earlier_upgrades()
        # Lambda's metric also counts invocations that end without the handler, for example by a timeout.
        self.failed_alarm = self.migrator.function.metric_errors().create_alarm(
            self,
            "FailedAlarm",
            alarm_description="The migrator failed: the database is not at the head of its revisions",
            threshold=1,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )

    def _digest(self, environment: Mapping[str, str]) -> str:
        """Return the sha256 of the user's environment variables, which env.py may read; "" without variables."""
        if not environment:
            return ""
        resolved = json.dumps(Stack.of(self).resolve(dict(environment)), sort_keys=True)
        return hashlib.sha256(resolved.encode()).hexdigest()

    def _run_after_earlier_upgrades(self) -> None:
        """Wait for the upgrades of the same database: their functions would wait for the same advisory lock."""
        for construct in Stack.of(self).node.find_all():
            if isinstance(construct, AlembicUpgrade) and construct is not self and construct.database == self.database:
                self.resource.node.add_dependency(construct.resource)

    @property
    def database(self) -> tuple[str, str]:
        """The construct path of the server, and the name of the database."""
        return self.migrator.database.node.path, self.migrator.database_name

    def execute_before(self, resource: IConstruct) -> None:
        """Create a resource that needs the schema after the upgrade."""
        resource.node.add_dependency(self.resource)

    @property
    def revision(self) -> str:
        """The revision of the database after the deployment."""
        return self.resource.get_att_string("Revision")

    @property
    def revisions_applied(self) -> str:
        """The number of revisions that the last upgrade applied."""
        return self.resource.get_att_string("RevisionsApplied")

    @property
    def seconds(self) -> str:
        """The duration of the last upgrade in seconds."""
        return self.resource.get_att_string("Seconds")

    @property
    def schema(self) -> str:
        """The state of the schema: at head, or ahead of the project, with the revisions that the project lacks."""
        return self.resource.get_att_string("Schema")


def _check_baseline(baseline: str, project: AlembicProject) -> None:
    if baseline and baseline not in project.revisions:
        raise RdsAlembicError(
            f"baseline must be a revision of {project.settings.folder} (got {baseline!r}): see `alembic history`"
        )
