"""The zero-downtime forms of autogenerate.

For tables that exist, autogenerate writes forms that other sessions do not wait for, in as many revisions as these
forms need. The package works with Alembic's own operations, and with SQL statements in `ExecuteSQLOp`. It divides
downgrade() in the same way as upgrade().
"""

from rds_alembic.autogenerate.safe_forms.directives import write_safe_forms as write_safe_forms
