"""Faults done to real processes, after each of which the same command gives what an undisturbed one gives.

A few of them by default; SALBENCH_FAULTS=20 does all, each some twenty times, and so does
`python tests/faults/harness.py 20`, which prints the table.
"""

import os
import sys

import harness
import pytest

TIMES = int(os.environ.get("SALBENCH_FAULTS", "0"))
NAMES = [name for name in harness.FAULTS if TIMES or name in harness.QUICK]

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes, limits and file systems as Linux has them")


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """What became of all faults, in a process without this one's modules and threads."""
    return harness.apart(max(1, TIMES), tmp_path_factory.mktemp("faults"), NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_after_a_fault_the_same_command_gives_what_an_undisturbed_one_gives(outcomes, name):
    """Catches scores that differ by a bit, files that are left over or lost, tracebacks, and runs that are mixed."""
    outcome = outcomes[name]
    if outcome.skipped:
        pytest.skip(outcome.skipped)
    assert outcome.failures == []
    assert outcome.identical == outcome.struck == outcome.tried > 0


def test_the_table_tells_of_failures_and_of_what_could_not_be_tried():
    """Catches a table in which all is well because nothing was tried."""
    lines = harness.table(
        [
            harness.Outcome("a", 3, 3, 3),
            harness.Outcome("b", 3, 3, 2, failures=["lost: run.json"]),
            harness.Outcome("c", skipped="no right"),
        ]
    ).splitlines()
    assert [line.split()[0] for line in lines] == ["fault", "a", "b", "c"]
    assert lines[1].endswith("identical, nothing left over")
    assert lines[2].endswith("lost: run.json")
    assert lines[3].endswith("skipped: no right")


@pytest.mark.parametrize("struck", [True, False])
def test_a_fault_that_did_no_harm_proves_nothing(monkeypatch, struck):
    """Catches kills that come when the command has ended, and limits that nothing reaches, counted as passed."""
    monkeypatch.setitem(harness.FAULTS, "some", (lambda bench, times: iter([lambda: struck] * times), 1))
    outcome = harness.try_out("some", None, 3)
    assert (outcome.tried, outcome.struck, outcome.identical) == (3, 3 * struck, 3)
    assert outcome.failures == ([] if struck else ["3 trials did no harm"])


def test_a_leftover_a_loss_and_a_difference_are_found(tmp_path):
    """Catches a comparison that takes any folder for any other."""
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "a").write_text("as it should be")
    whole = harness.left_in(tmp_path / "run")
    assert harness.differences(whole, whole) is None
    assert harness.differences({}, whole) == "lost: a"
    (tmp_path / "run" / ".a.0123abcd.tmp").touch()
    assert harness.differences(harness.left_in(tmp_path / "run"), whole) == "left over: .a.0123abcd.tmp"
    (tmp_path / "run" / ".a.0123abcd.tmp").unlink()
    (tmp_path / "run" / "a").write_text("as it should bE")
    assert harness.differences(harness.left_in(tmp_path / "run"), whole) == "differs: a"
