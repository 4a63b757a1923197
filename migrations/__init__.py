"""The example Alembic project: env.py, the tables, and the revisions."""
