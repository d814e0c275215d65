"""The folder of a process for what must not outlive it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys, os, signal
from salbench.scratch import own_folder
folder = own_folder()
(folder / "big.npy").touch()
print(folder, flush=True)
if sys.stdin.read() == "die":
    os.kill(os.getpid(), signal.SIGKILL)
"""


def start(folder):
    environment = {**os.environ, "TMPDIR": str(folder)}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], env=environment, **pipes)
    return process, Path(process.stdout.readline().strip())


def test_what_a_killed_process_left_is_removed_by_the_next_and_what_a_living_one_has_is_not(tmp_path):
    """Catches gigabytes in /tmp that nobody removes, and a run that loses its files to another one's start."""
    (tmp_path / "salbench-somebody").mkdir()
    living, kept = start(tmp_path)
    killed, left = start(tmp_path)
    killed.communicate("die")
    assert killed.returncode == -signal.SIGKILL
    assert left.exists()
    ending, own = start(tmp_path)
    assert not left.exists()
    assert (kept / "big.npy").exists()
    ending.communicate("")
    assert not own.exists()
    living.communicate("")
    assert [path.name for path in tmp_path.iterdir()] == ["salbench-somebody"]
