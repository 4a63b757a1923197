"""The descriptions of the stack outputs by which the command rds-alembic finds the functions of `DatabaseOperations`.

CloudFormation returns them with the outputs. The keys of the outputs depend on the ids of the user's constructs.
"""

READ_FUNCTION = "rds-alembic: the function that reads"
CHANGE_FUNCTION = "rds-alembic: the function that changes the database"
READ_POLICY = "rds-alembic: the managed policy that permits the reading commands"
CHANGE_POLICY = "rds-alembic: the managed policy that permits all commands"
LOG_GROUPS = "rds-alembic: the log groups"
