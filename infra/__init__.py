"""The example stack. It uses the public names of `rds_alembic`, as a user of that package does."""
