"""The division of SQL into statements and words."""

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


def test_words_are_in_lower_case_and_strings_have_a_placeholder() -> None:
    sql = "INSERT INTO \"T\" -- VALUES\nVALUES (N'on conflict', 1.5, U&'x', $$ a $$)"
    string = tokens.STRING
    assert tokens.words(sql) == [
        "insert", "into", '"T"', "values", "(", string, ",", "1.5", ",", string, ",", string, ")",
    ]  # fmt: skip


def test_bodies_are_the_dollar_quoted_strings() -> None:
    assert tokens.bodies("DO $a$ one $a$; SELECT $$two$$, '$$no$$'") == [" one ", "two"]
