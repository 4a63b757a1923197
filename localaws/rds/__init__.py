"""RDS DB instances: a PostgreSQL server with RDS's roles, behind the IAM authentication proxy."""

from localaws.rds.instance import RdsInstance, RdsSettings, start
from localaws.rds.token import Credential, verify_token
from localaws.rds.token_verifier import TokenVerifier

__all__ = ["Credential", "RdsInstance", "RdsSettings", "TokenVerifier", "start", "verify_token"]
