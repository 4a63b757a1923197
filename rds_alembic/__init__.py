"""CDK constructs that bring a private RDS PostgreSQL to the head of an Alembic project as a part of the deployment.

A name is loaded when it is first used, because `rds_alembic.autogenerate` also runs in Lambda, without aws_cdk.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rds_alembic.assets.function_asset import FunctionAsset as FunctionAsset
    from rds_alembic.assets.rds_ca import root_certificates as root_certificates
    from rds_alembic.constructs.alembic_upgrade import AlembicUpgrade as AlembicUpgrade
    from rds_alembic.constructs.checks.database import PostgresDatabase as PostgresDatabase
    from rds_alembic.constructs.database_logs import DatabaseLogs as DatabaseLogs
    from rds_alembic.constructs.database_operations import DatabaseOperations as DatabaseOperations
    from rds_alembic.constructs.database_roles import DatabaseRoles as DatabaseRoles
    from rds_alembic.constructs.migrations import Migrations as Migrations
    from rds_alembic.constructs.postgres_function import PostgresFunction as PostgresFunction
    from rds_alembic.constructs.protection import Protection as Protection
    from rds_alembic.constructs.python_function import FunctionOptions as FunctionOptions
    from rds_alembic.constructs.python_function import PythonFunction as PythonFunction
    from rds_alembic.errors import RdsAlembicError as RdsAlembicError
    from rds_alembic.lock_timeout import parse_lock_timeout as parse_lock_timeout
else:
    _MODULES = {
        "AlembicUpgrade": "constructs.alembic_upgrade",
        "DatabaseLogs": "constructs.database_logs",
        "DatabaseOperations": "constructs.database_operations",
        "DatabaseRoles": "constructs.database_roles",
        "FunctionAsset": "assets.function_asset",
        "FunctionOptions": "constructs.python_function",
        "Migrations": "constructs.migrations",
        "PostgresDatabase": "constructs.checks.database",
        "PostgresFunction": "constructs.postgres_function",
        "Protection": "constructs.protection",
        "PythonFunction": "constructs.python_function",
        "RdsAlembicError": "errors",
        "parse_lock_timeout": "lock_timeout",
        "root_certificates": "assets.rds_ca",
    }

    def __getattr__(name: str) -> object:
        """Load a public name."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
