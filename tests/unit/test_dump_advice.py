"""The errors that the output of pg_dump causes are reported with advice."""

import pytest

from migrator.dump_advice import dump_advice


@pytest.mark.parametrize(
    ("error", "statement", "advice"),
    [
        ('42601: syntax error at or near "\\"', "\\restrict abc\nSET x", "start with a backslash"),
        ('42601: syntax error at or near "1"', "COPY public.t (id) FROM stdin;\n1\n\\.", "--inserts"),
        ("no SQLSTATE: can't execute COPY FROM: use the copy_from() method", "COPY t FROM STDIN", "--inserts"),
        ('42P07: relation "alembic_version" already exists', "CREATE TABLE x", "--exclude-table=alembic_version"),
        ('42P06: schema "alembic_history" already exists', "", "--exclude-schema=alembic_history"),
        ('42501: must be able to SET ROLE "a"', "ALTER TABLE public.t OWNER TO a", "--no-owner"),
        ('42704: role "reader" does not exist', "GRANT SELECT ON t TO reader", "--no-privileges"),
        ("42501: must be owner of schema public", "COMMENT ON SCHEMA public IS ''", "--no-comments"),
    ],
)
def test_an_error_of_a_dump_gets_the_advice_for_it(error: str, statement: str, advice: str) -> None:
    assert advice in str(dump_advice(error, statement))


@pytest.mark.parametrize(
    ("error", "statement"),
    [
        ('42P01: relation "t" does not exist', "ALTER TABLE t OWNER TO a"),
        ('42601: syntax error at or near "CREAT"', "CREAT TABLE t (id int)"),
        ("42501: permission denied for table t", "SELECT * FROM t"),
        ('42P07: relation "t" already exists', "CREATE TABLE t (id int)"),
    ],
)
def test_another_error_gets_no_advice(error: str, statement: str) -> None:
    assert dump_advice(error, statement) is None
