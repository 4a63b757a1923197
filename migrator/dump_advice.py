"""Explain the errors of a revision that contains the output of pg_dump, and the change that is needed."""

import re

# Patterns of the server's error and of the statement, and the advice.
_ADVICE = (
    (
        r"^42601: .*\\",
        r"",
        r"lines that start with a backslash (\restrict, \connect) are commands of psql: remove them",
    ),
    (
        r"",
        r"\bCOPY\b.*\bFROM (stdin|STDIN)\b",
        "COPY ... FROM stdin needs psql: use pg_dump --schema-only or --inserts",
    ),
    (r"^42P07: .*\"alembic_version\"", r"", "Alembic creates this table: use pg_dump --exclude-table=alembic_version"),
    (
        r"^42P06: .*\"alembic_history\"",
        r"",
        "the migrator creates this schema: use pg_dump --exclude-schema=alembic_history",
    ),
    (r"^42(501|704): ", r"\b(OWNER TO|GRANT|REVOKE)\b", "use pg_dump --no-owner --no-privileges"),
    (r"^42501: ", r"\bCOMMENT ON (SCHEMA|EXTENSION)\b", "use pg_dump --no-comments"),
)


def dump_advice(error: str, statement: str) -> str | None:
    """Return advice, or None for an error that has nothing to do with pg_dump.

    `error` is the SQLSTATE and message of the server, `statement` the text that was sent.
    """
    for error_pattern, statement_pattern, advice in _ADVICE:
        if re.search(error_pattern, error) and re.search(statement_pattern, statement, re.DOTALL):
            return advice
    return None
