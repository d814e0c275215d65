"""Peak memory of a command and of the processes that it starts. Reads /proc, so it needs Linux."""

import subprocess
import time
from pathlib import Path


def peaks(command):
    """Peak resident megabytes of a command's own process and of the largest process that it started."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    largest = {}
    while process.poll() is None:
        for pid in [process.pid, *descendants(process.pid)]:
            largest[pid] = max(largest.get(pid, 0.0), peak_megabytes(pid))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"the command failed: {' '.join(command)}")
    driver = largest.pop(process.pid)
    return driver, max(largest.values(), default=0.0)


def descendants(pid):
    """Every process below one: children, and theirs."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(status.parent.name)] = int(status.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, fresh = set(), {pid}
    while fresh:
        fresh = {child for child, parent in parents.items() if parent in fresh} - found
        found |= fresh
    return found


def peak_megabytes(pid):
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")]
    return int(peak[0]) / 1024 if peak else 0.0
