"""One writer per folder: a lock that ends with its process and leaves nothing behind."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from salbench import locks
from salbench.errors import RunError
from salbench.locks import held, holder

HOLD = """
import sys
from pathlib import Path
from salbench.locks import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path):
    """Another process that holds the folder until it is ended."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, tmp_path / "run"], **pipes) as process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_held_folder_is_refused_by_the_name_of_who_holds_it_until_that_is_killed(other, tmp_path):
    """Catches two writers, an error that leaves nothing to go by, and a lock that outlives kill -9."""
    folder = tmp_path / "run"
    wanted = rf"another process writes into {folder} \(process {other.pid} on .+\); wait for its end"
    with pytest.raises(RunError, match=wanted), held(folder, patience=0):
        raise AssertionError("not refused")
    assert holder(folder).startswith(f"process {other.pid} on ")
    other.kill()
    other.wait()
    assert holder(folder) is None
    with held(folder):
        assert holder(folder).startswith(f"process {os.getpid()} on ")
    assert list(folder.iterdir()) == []


def test_a_lock_that_was_removed_after_it_was_opened_keeps_nobody_out(tmp_path, monkeypatch):
    """Catches two holders: one of the file that has the name, and one of the file that had it."""
    real, opened = os.open, []

    def open_and_lose(path, *arguments):
        file = real(path, *arguments)
        if not opened:
            Path(path).unlink()  # as its holder does at the end, between the other's opening and locking
        opened.append(file)
        return file

    monkeypatch.setattr(os, "open", open_and_lose)
    with held(tmp_path):
        assert len(opened) == 2
        assert (tmp_path / ".lock").is_file()
        with pytest.raises(RunError), held(tmp_path, patience=0):
            raise AssertionError("not refused")


def test_a_folder_is_abandoned_only_where_its_lock_was_taken(tmp_path, monkeypatch):
    """Catches the folder of a living process taken for a dead one's where a file system has no locks."""
    with locks.held(tmp_path):
        assert not locks.abandoned(tmp_path)
        monkeypatch.setattr(locks, "_try", lambda file: None)
        assert not locks.abandoned(tmp_path)
        monkeypatch.undo()
    assert not locks.abandoned(tmp_path), "nobody's"
    (tmp_path / locks.LOCK).write_text("process 1 on a host\n")
    assert locks.abandoned(tmp_path)


def test_who_waits_gets_the_folder_when_it_is_free(other, tmp_path, monkeypatch):
    """Catches a wait that is none: entries of a board that is being written are to be added, not refused."""
    monkeypatch.setattr(locks.time, "sleep", lambda seconds: other.kill() or other.wait())
    with held(tmp_path / "run", patience=60):
        pass


def test_a_folder_is_free_after_an_error(tmp_path):
    """Catches a lock that an exception leaves behind."""
    with pytest.raises(ZeroDivisionError), held(tmp_path):
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []
    with held(tmp_path):
        pass
