"""The rules of the language that a program can check, in all tracked Python files."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FIRST_WORD = re.compile(r"\W*(How|What|Where|Who|Whom|Whose)\b")
FORBIDDEN_IDENTIFIERS = {
    *("asked", "found", "given", "kept", "made", "of", "ours", "seen", "theirs", "there", "told", "wanted"),
}


def tracked_files() -> list[str]:
    command = ["git", "ls-files", "-z", "*.py"]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in listing.stdout.split("\0") if name and (ROOT / name).exists()]


def docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield ast.get_docstring(node) or ""


def identifiers(tree: ast.Module) -> Iterator[str]:
    """Return the names of variables, attributes, functions, classes, parameters and imports that a module defines."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.arg(arg=name) | ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name


def violations(code: str) -> list[str]:
    tree = ast.parse(code)
    first_lines = [text.partition("\n")[0] for text in docstrings(tree)]
    return [
        *(line for line in first_lines if FIRST_WORD.match(line)),
        *(name for name in identifiers(tree) if name.strip("_") in FORBIDDEN_IDENTIFIERS),
    ]


def test_docstrings_and_identifiers_follow_the_rules() -> None:
    in_files = {file: violations((ROOT / file).read_text(encoding="utf-8")) for file in tracked_files()}
    assert {file: lines for file, lines in in_files.items() if lines} == {}


def test_the_rules_apply_to_every_docstring_and_every_kind_of_name() -> None:
    code = '''
"""What a module is for."""
import json as found
class made:
    """`Who` it is."""
    of: int = 1
    def _wanted(self, given, *, seen=None, **ours):
        """Return 1. What else?"""
        self.told = 1
        for kept in []: pass
        try: pass
        except Exception as theirs: pass
        match given:
            case [asked, *there]: pass
async def whatever():
    """Where it ends."""
'''
    first_lines = {"What a module is for.", "`Who` it is.", "Where it ends."}
    assert set(violations(code)) == first_lines | {"_wanted"} | FORBIDDEN_IDENTIFIERS - {"wanted"}
