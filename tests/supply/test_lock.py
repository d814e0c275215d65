"""The lock file of the development environment: within pyproject.toml's bounds, and every file of it by its hash."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (ROOT / "requirements" / "dev.lock").read_text(encoding="utf-8")
ENTRIES = re.split(r"\n(?=[a-zA-Z])", LOCK.strip())


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted() -> list[Requirement]:
    """What pyproject.toml asks for, with every extra and what tests and checks need."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    extras = project["optional-dependencies"]
    lines = [*project["dependencies"], *extras["torch"], *extras["cluster"], *groups["test"], *groups["lint"]]
    return [Requirement(line) for line in lines]


def locked() -> dict[str, set[Version]]:
    """The versions of every name; there are several where they depend on the Python."""
    versions: dict[str, set[Version]] = {}
    for entry in ENTRIES:
        name, version = re.match(r"(\S+)==(\S+)", entry).groups()
        versions.setdefault(canonical(name), set()).add(Version(version))
    return versions


@pytest.mark.parametrize("requirement", wanted(), ids=str)
def test_the_lock_is_within_the_bounds(requirement):
    """Catches a bound that was raised, or a dependency that was added, without a new lock."""
    versions = locked()[canonical(requirement.name)]
    assert [version for version in versions if not requirement.specifier.contains(version)] == []


def test_every_extra_is_locked():
    """Catches a new extra or a group that this test does not know."""
    assert set(PROJECT["project"]["optional-dependencies"]) == {"torch", "cluster", "all"}
    assert set(PROJECT["dependency-groups"]) == {"test", "lint", "peers"}


def test_every_entry_has_its_hashes():
    """Catches an entry that pip would take from anywhere: with --require-hashes it would refuse the whole file."""
    for entry in ENTRIES:
        first, *others = entry.splitlines()
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.!+]+( ; [^\\]+)? \\", first), first
        assert others
        assert all(re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}( \\)?", line) for line in others), first


@pytest.mark.parametrize("odd", ["://", "--index", "--extra-index", "--find-links", " @ ", "-e ", "file:", "/"])
def test_the_lock_names_no_index_and_no_path(odd):
    """Catches what is true of one machine only."""
    assert odd not in LOCK
