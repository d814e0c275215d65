"""docs/licences.md against what is installed: every direct dependency, and no licence that came in unnoticed."""

import re
import tomllib
from pathlib import Path

import pytest
from licences import canonical, is_permissive, needed_packages, strangers
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
ROW = re.compile(r"^\| (\S+) \| (\S+) \| (.+?) \| (.+?) \|$", re.MULTILINE)
LISTED = {name: (licence, needed) for name, _, licence, needed in ROW.findall((ROOT / "docs/licences.md").read_text())}


def direct() -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["torch"], *extras["cluster"]]
    return [canonical(Requirement(line).name) for line in lines]


@pytest.mark.parametrize("name", direct())
def test_every_direct_dependency_is_listed_with_its_licence(name):
    """Catches a dependency that was added, or whose licence changed, without a new page."""
    licence, needed = LISTED[name]
    assert needed == "directly"
    installed = needed_packages().get(name)
    assert installed is None or (installed.licence, installed.needed) == (licence, needed)


def test_no_licence_comes_in_unnoticed():
    """Catches a copyleft or unknown licence that a new version, or a dependency of a dependency, brings along."""
    assert strangers(needed_packages()) == []


@pytest.mark.parametrize(
    ("licence", "does"),
    [
        ("MIT", True),
        ("Apache-2.0 OR BSD-2-Clause", True),
        ("BSD-3-Clause AND 0BSD AND MIT AND Zlib AND CC0-1.0", True),
        ("GPL-3.0-only", False),
        ("MIT AND GPL-2.0-or-later", False),
        ("GNU Affero General Public License v3", False),
        ("", False),
    ],
)
def test_licences_are_told_apart(licence, does):
    """Catches a rule that lets through whatever it does not understand."""
    assert is_permissive(licence) is does
