"""What every test shares: hypothesis without luck, and the way to the reference values."""

import os
import runpy
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run: a failure is a change of the code, never of the draw.
settings.register_profile("salbench", derandomize=True, deadline=None, max_examples=40, database=None)
settings.load_profile("salbench")


# Tests share a cache of their own: the user's is neither read nor filled.
_CACHE = tempfile.TemporaryDirectory(prefix="salbench-tests-")
os.environ["SALBENCH_CACHE"] = _CACHE.name

# No test reaches another machine, nor does a Python that it starts, unless it sets PYTHONPATH itself.
OFFLINE = Path(__file__).parent / "offline"
runpy.run_path(str(OFFLINE / "sitecustomize.py"))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(OFFLINE), os.environ.get("PYTHONPATH")]))

_ASKED_FOR_DATA = bool(os.environ.get("SALBENCH_DATA"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Where real data is at hand, a data test that skips is a failure: it would hide what it is for."""
    report = yield
    if _ASKED_FOR_DATA and report.skipped and item.get_closest_marker("data") is not None:
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} skipped although SALBENCH_DATA is set: {report.longrepr[-1]}"
    return report


def pytest_terminal_summary(terminalreporter):
    """Say how many tests on real data ran, so that a log shows whether they did."""
    ran = [
        report
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        if report.when == "call" and "data" in report.keywords
    ]
    terminalreporter.write_line(
        f"{len(ran)} tests on real data and reference values ran"
        + ("" if _ASKED_FOR_DATA else " (SALBENCH_DATA is not set)")
    )


@pytest.fixture(scope="session")
def salbench_data():
    """The folder with the reference values and the real data sets."""
    folder = os.environ.get("SALBENCH_DATA")
    if not folder:
        pytest.skip("SALBENCH_DATA is not set; it names the folder that holds golden/ and datasets/")
    return Path(folder)
