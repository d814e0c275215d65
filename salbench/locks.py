"""One writer per folder: a lock that ends with its process, also by kill -9."""

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from salbench.errors import RunError

LOCK = ".lock"
"""The file that is locked; who holds it is written into it, and takes it away at the end."""
PATIENCE = 0.5
"""Seconds that a folder may still be held: a process that was killed takes a moment to be gone."""
PAUSE = 0.02
READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)


@contextmanager
def held(folder: Path, doing: str = "writes into", *, patience: float = PATIENCE) -> Iterator[None]:
    """A folder, made where it is not there, that no other process holds within the block.

    `doing`: what such a process does to it, for the error. `patience`: seconds to wait for its end.
    RunError, which tells who holds it, where another one does after that; OSError where the lock cannot be made.
    Where the system has no such locks, or the folder cannot be written into anyway, all go without.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _locked(folder, doing, patience)
    try:
        yield
    finally:
        if lock is not None:
            # Before the lock ends: after it, the file may be another process's.
            with suppress(OSError):
                (folder / LOCK).unlink()
            os.close(lock)


def holder(folder: Path) -> str | None:
    """Who holds a folder now, in words; None where nobody does, or the system has no such locks."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _who(folder / LOCK) if _try(file) is False else None
    finally:
        os.close(file)


def abandoned(folder: Path) -> bool:
    """Whether somebody held a folder who is gone; False also where that cannot be known."""
    try:
        file = os.open(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        return os.fstat(file).st_size > 0 and _try(file) is True
    finally:
        os.close(file)


def _locked(folder: Path, doing: str, patience: float) -> int | None:
    """The open and locked file of a folder; None where there are no locks, or nothing can be written."""
    deadline = time.monotonic() + patience
    while True:
        try:
            file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            if error.errno in READ_ONLY and not os.access(folder, os.W_OK):
                return None
            raise
        # Who held it may have removed it since it was opened: a lock of a file without a name keeps nobody out.
        got = _try(file)
        if got is not False:
            if _is_at(file, folder / LOCK):
                if got:
                    _sign(file)
                return file
        elif time.monotonic() >= deadline:
            os.close(file)
            raise RunError(
                f"another process {doing} {folder} ({_who(folder / LOCK)}); wait for its end, or name another folder"
            )
        else:
            time.sleep(PAUSE)
        os.close(file)


def _try(file: int) -> bool | None:
    """Lock an open file until it is closed, and whether that went well; None where there are no locks."""
    try:
        import fcntl  # noqa: PLC0415 - Windows has none
    except ImportError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks
        return None
    return True


def _is_at(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _sign(file: int) -> None:
    with suppress(OSError):  # on a full disk it is a lock all the same
        os.ftruncate(file, 0)
        os.write(file, f"process {os.getpid()} on {socket.gethostname()}\n".encode())


def _who(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8", errors="replace").strip()[:200] or "it does not say which"
    except OSError:
        return "it is about to end"
