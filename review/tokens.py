"""The division of SQL into statements.

https://www.postgresql.org/docs/17/sql-syntax-lexical.html
"""

import re
from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
      (?P<blank> \s+ | --[^\n]* )
    | (?P<comment> /\* )
    | (?P<escaped> [eE]'(?:[^'\\]|\\.|'')*'? )
    | (?P<string> (?:[nNbBxX]|[uU]&)?'[^']*(?:''[^']*)*'? )
    | (?P<body> \$(?P<tag>(?:[^\W\d]\w*)?)\$.*?\$(?P=tag)\$ )
    | (?P<name> (?:[uU]&)?"[^"]*(?:""[^"]*)*"? )
    | (?P<word> [^\W\d][\w$]* )
    | (?P<number> \d[\w.]* )
    | (?P<sign> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_COMMENT_ENDS = re.compile(r"/\*|\*/")


def statements(sql: str) -> list[str]:
    """Split SQL at the semicolons between statements. Texts that contain only comments are omitted."""
    texts, start, depth, parens, previous = [], 0, 0, 0, ""
    for kind, text, end in _tokens(sql):
        word = text.lower() if kind == "word" else text
        if word in {"(", ")"}:
            parens += 1 if word == "(" else -1
        elif previous == "begin" and word == "atomic":
            depth = 1
        elif depth:  # BEGIN ATOMIC: the semicolons up to END belong to the body of the function
            depth += {"case": 1, "end": -1}.get(word, 0)
        if word == ";" and not depth and parens <= 0:
            texts.append(sql[start : end - 1])
            start = end
        previous = word
    texts.append(sql[start:])
    return [text.strip() for text in texts if next(_tokens(text), None)]


def _tokens(sql: str) -> Iterator[tuple[str, str, int]]:
    """Yield the kind, text and end of each token except blanks and comments."""
    position = 0
    while match := _TOKEN.match(sql, position):
        kind = str(match.lastgroup)
        position = match.end() if kind != "comment" else _end_of_comment(sql, match.end())
        if kind not in {"blank", "comment"}:
            yield kind, match[kind], position


def _end_of_comment(sql: str, position: int) -> int:
    depth = 1
    while depth and (match := _COMMENT_ENDS.search(sql, position)):
        depth += 1 if match[0] == "/*" else -1
        position = match.end()
    return position if depth == 0 else len(sql)
