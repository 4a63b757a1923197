"""A local AWS on one machine, for the demo, the tests and the commands of Alembic. It is never deployed."""
