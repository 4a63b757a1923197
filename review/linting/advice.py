"""The advice for findings: how to write the operation with Alembic instead."""

GUIDE = "docs/writing-migrations.md"

_INDEX = """\
with op.get_context().autocommit_block():
    op.drop_index("ix", "table", postgresql_concurrently=True, if_exists=True)
    op.create_index("ix", "table", ["column"], postgresql_concurrently=True, if_not_exists=True)
The first statement removes the invalid index of a failed build. See {guide}#add-an-index"""
_VALIDATE = """\
Pass postgresql_not_valid=True, and in a later revision
    op.execute("ALTER TABLE table VALIDATE CONSTRAINT name")
See {guide}#add-a-foreign-key"""
_CONTRACT = """\
First deploy code that does not use the object. Then suppress the finding in a comment:
# lint-sql: ignore[{rule}] the deployment that stopped using it"""
_CONTRACTED = (
    *("column", "constraint", "default", "domain", "extension", "function", "generated-expression", "not-null"),
    *("schema", "sequence", "table", "type", "view"),
)
_NOT_NULL = """\
Add the column as nullable, or with a server_default that is not volatile. If values are computed, backfill them and
set NOT NULL in later deployments. See {guide}#add-a-not-null-column-with-computed-values"""
_TYPE = """\
Add a column of the new type, write to both columns, backfill, then drop the old column.
See {guide}#change-the-type-of-a-column"""
_BIGINT = "Use sa.BigInteger(): widening a column that is too small rewrites the table under a lock."
_RERUN = """\
After a failure, a revision with an autocommit_block runs again from its first line, so that its statements must be able
to run twice. Move statements that can run in a transaction to another revision, or """

# Squawk's rules without a help text, or with a help text about SQL that Alembic writes.
_SQUAWK = {
    "adding-field-with-default": "Add the column without the default, set the default, then backfill in batches."
    " See {guide}#backfill-in-batches",
    "adding-foreign-key-constraint": _VALIDATE,
    "adding-not-nullable-field": "First add a CHECK (column IS NOT NULL) as NOT VALID, and validate the constraint in a"
    " later revision. See {guide}#add-a-not-null-column-with-computed-values",
    "adding-required-field": _NOT_NULL,
    "adding-serial-primary-key-field": "Build a unique index concurrently, then"
    ' op.execute("ALTER TABLE table ADD CONSTRAINT pk PRIMARY KEY USING INDEX ix"). See {guide}#add-an-index',
    "ban-char-field": "Use sa.Text().",
    "ban-concurrent-index-creation-in-transaction": _INDEX,
    **dict.fromkeys(
        [f"ban-drop-{kind}" for kind in _CONTRACTED] + ["ban-alter-identity", "ban-set-schema", "renaming-object"],
        _CONTRACT,
    ),
    "ban-truncate-cascade": "Name every table to truncate.",
    "changing-column-type": _TYPE,
    "constraint-missing-not-valid": _VALIDATE,
    "disallowed-unique-constraint": "Build a unique index concurrently, and in a later revision"
    ' op.execute("ALTER TABLE table ADD CONSTRAINT uq UNIQUE USING INDEX ix"). See {guide}#add-an-index',
    "prefer-bigint-over-int": _BIGINT,
    "prefer-bigint-over-smallint": _BIGINT,
    "prefer-identity": 'Use sa.Column("id", sa.BigInteger(), sa.Identity(always=True)).',
    "prefer-robust-stmts": _RERUN + "pass if_not_exists=True or if_exists=True. Drop a constraint first, with"
    " if_exists=True.",
    "prefer-text-field": "Use sa.Text(), with a CHECK constraint for a maximum length.",
    "prefer-timestamp-tz": "Use sa.DateTime(timezone=True).",
    "renaming-column": "Add a column with the new name, and write to both columns until no code uses the old column."
    " See {guide}#rename-a-column",
    "renaming-table": "The old code cannot find a renamed table. Create the new table, write to both tables, then"
    " drop the old table.",
    "require-concurrent-index-creation": _INDEX,
    "require-concurrent-index-deletion": """\
with op.get_context().autocommit_block():
    op.drop_index("ix", "table", postgresql_concurrently=True, if_exists=True)""",
    "syntax-error": "Squawk cannot check this statement. If it contains placeholders, pass literal_binds=True to"
    " context.configure() in the offline mode of env.py.",
}
_PROJECT = {
    "suppression": "# lint-sql: ignore[rule, another-rule] the reason",
    "edited-history": "Restore the revision, and write the change as a new revision. If the revision was never merged,"
    " delete its line from versions.lock and run make freeze.",
    "missing-downgrade": 'Write downgrade(), raise NotImplementedError("reason"), or write: pass  # reason',
    "not-frozen": "Run make freeze when the revision is finished.",
    "offline": "Write it as SQL that needs no result in Python: UPDATE … FROM, or INSERT … SELECT, in op.execute()."
    " See {guide}#backfill-in-batches",
    "outside-transaction": "Execute it in a call of its own, inside with op.get_context().autocommit_block():",
    "rerun-fails": _RERUN + "write IF NOT EXISTS, IF EXISTS or OR REPLACE, or drop the object first with IF EXISTS.",
    "rerun-inserts": _RERUN + "write ON CONFLICT DO NOTHING, or INSERT … SELECT … WHERE NOT EXISTS.",
    "rerun-invalid-index": _INDEX,
    "revision-imports": "A revision must do the same after other modules have changed. Import only alembic and"
    " sqlalchemy (and typing and collections.abc for annotations), and copy the definitions into the revision.",
    "several-heads": 'Merge them with .venv/bin/alembic merge -m "…" heads, or change the down_revision of one of them'
    " to another head.",
    "transaction-control": "Use with op.get_context().autocommit_block(): it ends the transaction and begins another.",
    "versions-lock": "Restore the file, or delete the line if the revision was never merged.",
}
PROJECT_RULES = frozenset(_PROJECT)
NOT_SUPPRESSIBLE = frozenset({"edited-history", "not-frozen", "several-heads", "suppression", "versions-lock"})
ALIASES = {"prefer-timestamptz": "prefer-timestamp-tz"}
"""The names of rules in squawk's documentation that differ from those in its reports."""
# fmt: off
SQUAWK_RULES = frozenset(_SQUAWK) | {
    "ban-add-column", "ban-add-composite-attribute", "ban-add-enum-value", "ban-alter-database-options",
    "ban-alter-domain-with-add-constraint", "ban-alter-extension", "ban-alter-function-options",
    "ban-alter-generated-expression", "ban-alter-identity", "ban-alter-policy-condition", "ban-alter-policy-roles",
    "ban-alter-role-options", "ban-alter-row-level-security", "ban-alter-sequence-values", "ban-alter-system-options",
    "ban-alter-view-options", "ban-create-domain-with-constraint", "ban-create-policy", "ban-detach-inheritance",
    "ban-disable-trigger", "ban-drop-database", "ban-drop-index", "ban-drop-policy",
    "ban-duplicate-column-assignments", "ban-new-write-restriction", "ban-replace-view-function",
    "ban-replica-identity", "ban-revoke", "ban-set-default", "ban-uncommitted-transaction", "identifier-too-long",
    "prefer-repack", "require-concurrent-partition-detach", "require-concurrent-reindex",
    "require-enum-value-ordering", "require-table-schema", "transaction-nesting",
}
# fmt: on
ADVICE = {
    rule: advice.replace("{guide}", GUIDE).replace("{rule}", rule) for rule, advice in {**_SQUAWK, **_PROJECT}.items()
}
