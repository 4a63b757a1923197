"""SQL cut into statements and words, so that strings and comments do not mislead.

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
STRING = "'…'"
"""What stands for any string among the words."""


def statements(sql: str) -> list[str]:
    """Cut at the semicolons between statements; what is only comments is left out."""
    found, start, depth, parens, previous = [], 0, 0, 0, ""
    for kind, text, end in _tokens(sql):
        word = text.lower() if kind == "word" else text
        if word in {"(", ")"}:
            parens += 1 if word == "(" else -1
        elif previous == "begin" and word == "atomic":
            depth = 1
        elif depth:  # in the body of a function that is no string, semicolons go on to its END
            depth += {"case": 1, "end": -1}.get(word, 0)
        if word == ";" and not depth and parens <= 0:
            found.append(sql[start : end - 1])
            start = end
        previous = word
    found.append(sql[start:])
    return [text.strip() for text in found if words(text)]


def words(sql: str) -> list[str]:
    """Return keywords and names in lower case, quoted names in their quotes, signs, and STRING for each string."""
    return [_word(kind, text) for kind, text, _ in _tokens(sql)]


def bodies(sql: str) -> list[str]:
    """Return what stands between dollars: the code of functions and DO blocks."""
    return [text[text.index("$", 1) + 1 : text.rindex("$", 0, -1)] for kind, text, _ in _tokens(sql) if kind == "body"]


def _word(kind: str, text: str) -> str:
    if kind in {"string", "escaped", "body"}:
        return STRING
    return text.lower() if kind == "word" else text


def _tokens(sql: str) -> Iterator[tuple[str, str, int]]:
    """Yield kind, text and end of everything but blanks and comments."""
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
