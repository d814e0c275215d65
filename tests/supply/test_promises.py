"""docs/promises.md and SECURITY.md: what they name is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", (ROOT / "docs" / "promises.md").read_text())))


@pytest.mark.parametrize(("file", "name"), NAMED)
def test_every_test_that_shows_a_promise_exists(file, name):
    """Catches a test that was renamed or removed, and with it the proof of what is promised."""
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_row_names_its_test():
    """Catches a promise without a proof, and a pattern above that finds none."""
    rows = [line for line in (ROOT / "docs" / "promises.md").read_text().splitlines() if line.startswith("| ")]
    promises = [row for row in rows if not re.search(r"\| shown by \|$", row)]
    assert len(promises) > 35
    assert [row for row in promises if not re.search(r"`tests/[\w/]+\.py::\w+` \|$", row)] == []


@pytest.mark.parametrize("page", ["SECURITY.md", "docs/promises.md", "docs/licences.md"])
def test_the_readme_leads_to(page):
    """Catches a page that nobody finds."""
    assert f"]({page})" in (ROOT / "README.md").read_text(encoding="utf-8")


def test_links_of_the_security_policy_lead_somewhere():
    """Catches what tests of docs/ do not look at: this page lies at the top."""
    for target in re.findall(r"\]\(([^)#:]+)\)", (ROOT / "SECURITY.md").read_text(encoding="utf-8")):
        assert (ROOT / target).exists(), target
