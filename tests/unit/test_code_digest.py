"""The digest of a revision's code: changes of the code change it, changes of comments and layout do not."""

import pytest

from rds_alembic.revisions.code_digest import code_digest

CODE = 'revision = "r1"\n\n\ndef upgrade():\n    op.execute("SELECT 1")\n'


@pytest.mark.parametrize(
    "same",
    [
        f'"""A docstring."""\n\n{CODE}',
        f"# a comment\n{CODE}  # another one\n",
        CODE.replace("\n", "\r\n"),
        CODE.replace('"', "'"),
        CODE.replace("def upgrade():\n", 'def upgrade():\n    """Do it."""\n'),
        CODE.replace("(", "(\n").replace(")", "\n)"),
    ],
    ids=["docstring", "comments", "line ends", "quotes", "docstring of a function", "layout"],
)
def test_comments_docstrings_and_layout_do_not_change_the_digest(same: str) -> None:
    assert code_digest(same) == code_digest(CODE)


@pytest.mark.parametrize(
    "other",
    [
        CODE.replace("r1", "r2"),
        CODE.replace("SELECT 1", "SELECT  1"),
        CODE.replace('"SELECT 1"', 'b"SELECT 1"'),
        CODE.replace("execute", "run"),
        f"{CODE}    op.execute('SELECT 2')\n",
        CODE.replace("upgrade()", "upgrade(x=None)"),
    ],
)
def test_any_change_of_the_code_changes_the_digest(other: str) -> None:
    assert code_digest(other) != code_digest(CODE)


def test_bytes_are_decoded_with_their_declared_encoding() -> None:
    text = "# -*- coding: latin-1 -*-\nname = 'é'\n"
    assert code_digest(text.encode("latin-1")) == code_digest("name = 'é'")
    assert code_digest(b"\xef\xbb\xbfname = 1") == code_digest("name = 1")


def test_a_lone_surrogate_has_a_digest() -> None:
    assert code_digest(r"x = '\ud800'") != code_digest(r"x = '\ud801'")


def test_the_digest_does_not_depend_on_the_version_of_unicode() -> None:
    """U+2FFC is printable since Unicode 15.1, and so for Python 3.13, but not for Python 3.12."""
    assert code_digest("name = '\u2ffc'") == code_digest(r"name = '\u2ffc'")


def test_syntax_of_a_newer_python_than_that_of_the_functions_is_rejected() -> None:
    with pytest.raises(SyntaxError):
        code_digest("try: pass\nexcept ValueError, TypeError: pass")
