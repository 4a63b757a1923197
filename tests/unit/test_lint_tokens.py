"""The division of SQL into statements."""

import pytest

from review import tokens


@pytest.mark.parametrize(
    ("sql", "statements"),
    [
        ("", []),
        (" ; ;\n-- nothing\n/* ; */", []),
        ("SELECT 1; SELECT 2;", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';''', E'\\';', \";\"; SELECT 2", ["SELECT ';''', E'\\';', \";\"", "SELECT 2"]),
        ("SELECT 1 -- ;\n; SELECT 2", ["SELECT 1 -- ;", "SELECT 2"]),
        ("/* a /* ; */ ; */ SELECT 1; SELECT 2", ["/* a /* ; */ ; */ SELECT 1", "SELECT 2"]),
        ("DO $a$ BEGIN; $$ ; $$; END $a$; SELECT $1", ["DO $a$ BEGIN; $$ ; $$; END $a$", "SELECT $1"]),
        ("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2); SELECT 3", None),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; END; SELECT 3", None),
        ("SELECT 'never closed; SELECT 2", ["SELECT 'never closed; SELECT 2"]),
    ],
)
def test_statements_end_at_semicolons_outside_strings_comments_and_bodies(
    sql: str, statements: list[str] | None
) -> None:
    expected = statements if statements is not None else [sql.removesuffix("; SELECT 3"), "SELECT 3"]
    assert tokens.statements(sql) == expected
