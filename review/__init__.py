"""The review of revisions before their merge: `make lint-sql`, `make plan` and `make freeze`. It uses no database."""
