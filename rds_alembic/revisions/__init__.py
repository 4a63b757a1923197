"""The revisions of an Alembic project, read from files: no database, and env.py is not run."""
