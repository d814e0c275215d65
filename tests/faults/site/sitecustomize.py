"""Loaded by every Python process that harness.py starts: does harm at the moment that SALBENCH_FAULT tells of.

Moments are counted in what Python is about to do to files below a folder (opening, renaming, removing, making a
folder): between two of these a kill makes little difference, and their number does not depend on the machine's speed.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

EVENTS = frozenset({"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.truncate", "fcntl.flock"})
ENOUGH = 1 << 40
"""Bytes that no machine gives."""


def install() -> None:
    """Do what the environment asks for in this process, and in those that are forks of it."""
    fault = json.loads(os.environ.get("SALBENCH_FAULT") or "{}")
    if "clock" in fault:
        _set_back(fault["clock"])
    if "below" in fault:
        sys.addaudithook(_Moment(fault))


class _Moment:
    """A hook that counts events. `role`: in whose processes; `at`: which event, 0 for none; `what`: the harm.

    `name`: events of files alone whose path ends so. `once`: a file that is made by whoever does the harm, and keeps
    others from it. `log`: a file that gets the first letter of the role for every event.
    """

    def __init__(self, fault):
        self.fault, self.count = fault, 0
        self.log = os.open(fault["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND) if "log" in fault else None

    def __call__(self, event, arguments):
        if event not in EVENTS or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.fspath(arguments[0])
        if not isinstance(path, str) or not path.startswith(self.fault["below"]):
            return
        if self.log is not None:
            os.write(self.log, _role()[:1].encode())
        if _role() != self.fault["role"]:
            return
        if not path.endswith(self.fault.get("name", "")):
            return
        self.count += 1
        if self.count == self.fault["at"] or self.fault["at"] < 0:
            self._harm()

    def _harm(self):
        if "once" in self.fault:
            try:
                os.close(os.open(self.fault["once"], os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
        HARM[self.fault["what"]]()


def _kill():
    os.kill(os.getpid(), signal.SIGKILL)


def _hang():
    time.sleep(3600)


def _exhaust():
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (64 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    try:
        bytearray(ENOUGH)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


HARM = {"kill": _kill, "hang": _hang, "exhaust": _exhaust}


def _role():
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        return "worker"
    return "server" if any("multiprocessing" in word for word in sys.orig_argv) else "driver"


def _set_back(seconds):
    """The clock as Python code reads it; a file's times are the kernel's."""
    real, real_ns = time.time, time.time_ns
    time.time = lambda: real() - seconds
    time.time_ns = lambda: real_ns() - int(seconds * 1e9)


install()
