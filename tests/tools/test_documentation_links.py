"""The links of the documentation, and the links to it in code."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
_FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(?:#([^)\s]+))?\)")
_LINK_IN_CODE = re.compile(r"\b(docs/[\w-]+\.md)(?:#([\w-]+))?")


def anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(base: Path, links: list[tuple[str, str]], *, page: Path | None = None) -> Iterator[str]:
    """Yield each link whose file or heading does not exist."""
    for path, anchor in links:
        target = base / path if path else page
        if target is None or not target.exists():
            yield path
        elif anchor and unquote(anchor) not in anchors(target):
            yield f"{path}#{anchor}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_of_a_page_leads_to_an_existing_file_and_heading(page: Path) -> None:
    links = _LINK.findall(_FENCE.sub("", page.read_text()))
    assert list(broken(page.parent, links, page=page)) == []


def test_every_link_to_the_documentation_in_code_leads_to_an_existing_page_and_heading() -> None:
    files = subprocess.run(["git", "ls-files", "*.py", "*.yml", "Makefile"], cwd=ROOT, capture_output=True, check=True)
    texts = [(ROOT / name).read_text() for name in files.stdout.decode().split() if (ROOT / name).exists()]
    links = [link for text in texts for link in _LINK_IN_CODE.findall(text)]
    assert links
    assert list(broken(ROOT, links)) == []


def test_the_index_of_the_decisions_lists_each_decision_with_its_date_and_status() -> None:
    text = (ROOT / "docs/decisions.md").read_text()
    decisions = re.findall(r"^### (\d+)\. (.+)\n(\d{4}-\d\d-\d\d) · (accepted|superseded by \d+)$", text, re.MULTILINE)
    index = re.findall(r"^\| (\d+) \| \[(.+)\]\(#\S+\) \| (\S+) \| (.+) \|$", text, re.MULTILINE)
    assert sorted(decisions, key=lambda decision: int(decision[0])) == index
    assert [int(number) for number, *_ in index] == list(range(1, len(index) + 1))
    assert text.count("\n### ") == len(decisions)
