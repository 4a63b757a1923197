"""The Alembic project: environment, table metadata and revisions."""
