"""CDK constructs that bring a private RDS PostgreSQL to the head of an Alembic project as a part of the deployment."""
