"""Say what to change in the output of pg_dump so that a revision can run it."""

import re

# A part of the server's answer, a part of the statement, and what to change.
_ADVICE = (
    (
        r"^42601: .*\\",
        r"",
        r"only psql understands lines that start with a backslash (\restrict, \connect): remove them",
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


def dump_advice(answer: str, statement: str) -> str | None:
    """Return advice, or None for an error that has nothing to do with pg_dump.

    `answer` is SQLSTATE and words of the server, `statement` the text that was sent.
    """
    for in_answer, in_statement, advice in _ADVICE:
        if re.search(in_answer, answer) and re.search(in_statement, statement, re.DOTALL):
            return advice
    return None
