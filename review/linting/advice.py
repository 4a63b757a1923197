"""What to write instead, in Alembic's terms: for our own rules, and where squawk's words are about plain SQL."""

GUIDE = "docs/writing-migrations.md"

_INDEX = """\
with op.get_context().autocommit_block():
    op.drop_index("ix", "table", postgresql_concurrently=True, if_exists=True)
    op.create_index("ix", "table", ["column"], postgresql_concurrently=True, if_not_exists=True)
The first statement removes what a build that failed has left. See {guide}#add-an-index"""
_VALIDATE = """\
Pass postgresql_not_valid=True, and in a later revision
    op.execute("ALTER TABLE table VALIDATE CONSTRAINT name")
See {guide}#add-a-foreign-key"""
_CONTRACT = """\
Deploy code that does without it first. Then it is right, and a comment says so:
# lint-sql: ignore[{rule}] which deployment stopped using it"""
_CONTRACTED = (
    *("column", "constraint", "default", "domain", "extension", "function", "generated-expression", "not-null"),
    *("schema", "sequence", "table", "type", "view"),
)
_NOT_NULL = """\
Add the column as nullable or with a server_default that is not volatile; where values are computed, backfill them
and set NOT NULL in later deployments. See {guide}#add-a-not-null-column-with-computed-values"""
_TYPE = """\
Add a column of the new type, write both, backfill, then drop the old one. See {guide}#change-the-type-of-a-column"""
_RERUN = """\
A revision with an autocommit_block runs again from its first line after it failed: what it has done by then must not
be in its way. Move what can be in a transaction to a revision of its own, or """

# Of squawk's rules, those whose help is absent or about SQL that Alembic writes for you.
_SQUAWK = {
    "adding-field-with-default": "Add the column without the default, set the default, then backfill in batches."
    " See {guide}#backfill-in-batches",
    "adding-foreign-key-constraint": _VALIDATE,
    "adding-not-nullable-field": "Prove it first by a CHECK (column IS NOT NULL) that was added as NOT VALID and then"
    " validated. See {guide}#add-a-not-null-column-with-computed-values",
    "adding-required-field": _NOT_NULL,
    "adding-serial-primary-key-field": "Build a unique index concurrently, then"
    ' op.execute("ALTER TABLE table ADD CONSTRAINT pk PRIMARY KEY USING INDEX ix"). See {guide}#add-an-index',
    "ban-char-field": "Use sa.Text().",
    "ban-concurrent-index-creation-in-transaction": _INDEX,
    **dict.fromkeys(
        [f"ban-drop-{what}" for what in _CONTRACTED] + ["ban-alter-identity", "ban-set-schema", "renaming-object"],
        _CONTRACT,
    ),
    "ban-truncate-cascade": "Name every table that is to be emptied.",
    "changing-column-type": _TYPE,
    "constraint-missing-not-valid": _VALIDATE,
    "disallowed-unique-constraint": "Build a unique index concurrently, and in a later revision"
    ' op.execute("ALTER TABLE table ADD CONSTRAINT uq UNIQUE USING INDEX ix"). See {guide}#add-an-index',
    "prefer-bigint-over-int": "Use sa.BigInteger(): a column that is too small is rewritten under a lock one day.",
    "prefer-bigint-over-smallint": "Use sa.BigInteger(): a column that is too small is rewritten under a lock one day.",
    "prefer-identity": 'Use sa.Column("id", sa.BigInteger(), sa.Identity(always=True)).',
    "prefer-robust-stmts": _RERUN + "pass if_not_exists=True or if_exists=True; for a constraint, drop it first with"
    " if_exists=True.",
    "prefer-text-field": "Use sa.Text(), with a check constraint if its length matters.",
    "prefer-timestamp-tz": "Use sa.DateTime(timezone=True).",
    "renaming-column": "Add a column of the new name, and keep both in step until no code uses the old one."
    " See {guide}#rename-a-column",
    "renaming-table": "The code before does not find it any more: make the new table, keep both in step, drop the old.",
    "require-concurrent-index-creation": _INDEX,
    "require-concurrent-index-deletion": """\
with op.get_context().autocommit_block():
    op.drop_index("ix", "table", postgresql_concurrently=True, if_exists=True)""",
    "syntax-error": "Squawk does not judge this statement. If it has placeholders in it, say literal_binds=True where"
    " env.py configures the offline mode.",
}
_OURS = {
    "acknowledgement": "# lint-sql: ignore[rule, another-rule] and why it is right here",
    "edited-history": "Restore it, and put the change into a new revision. If it never left this branch, delete its"
    " line from versions.lock and freeze again.",
    "missing-downgrade": 'Write it, or raise NotImplementedError("why"). With nothing to undo: pass  # and why',
    "not-frozen": "Freeze it before it is merged: make freeze",
    "offline": "Write it as SQL that the server runs by itself: UPDATE … FROM, or INSERT … SELECT, in op.execute()."
    " See {guide}#backfill-in-batches",
    "outside-transaction": "Run it by itself, in with op.get_context().autocommit_block():",
    "rerun-fails": _RERUN + "say IF NOT EXISTS, IF EXISTS or OR REPLACE, or drop it first with IF EXISTS.",
    "rerun-inserts": _RERUN + "say ON CONFLICT DO NOTHING, or INSERT … SELECT … WHERE NOT EXISTS.",
    "rerun-invalid-index": _INDEX,
    "revision-imports": "A revision has to do the same in years, when other modules have changed: import alembic and"
    " sqlalchemy only (typing and collections.abc for annotations), and write down here what it needs.",
    "several-heads": 'Join them, .venv/bin/alembic merge -m "…" heads, or put one on top of the other by its'
    " down_revision.",
    "transaction-control": "Use with op.get_context().autocommit_block(): it ends the transaction and begins the next.",
    "versions-lock": "Restore the file, or delete the line if the revision never left this branch.",
}
OUR_RULES = frozenset(_OURS)
NOT_TO_ACKNOWLEDGE = frozenset({"acknowledgement", "edited-history", "not-frozen", "several-heads", "versions-lock"})
ALIASES = {"prefer-timestamptz": "prefer-timestamp-tz"}
"""Names that squawk's documentation uses, and those of its reports."""
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
    rule: advice.replace("{guide}", GUIDE).replace("{rule}", rule) for rule, advice in {**_SQUAWK, **_OURS}.items()
}
