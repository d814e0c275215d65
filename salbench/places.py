"""Where processes put small files that another machine's processes read: a folder, or what an fsspec URL names.

A file is written whole. In a folder it is never half there; an object store promises as much, while other file systems
of fsspec may be cut short, which readers notice by the check sums that names, or those who ask, give.
"""

import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

from salbench.atomic import replacing
from salbench.errors import UsageError

AT_ONCE = 64
"""Files that are asked for together: an object store answers many requests in the time of one."""
EXTRA = 'pip install "salbench[cluster]"'

IDLE_SECONDS = 60.0
"""After which a connection may have been closed by the other side."""
PROBE = "can-be-written"
SHARED_WORK = ".cluster-"
"""How the folder with what a cluster's workers need is called, before eight digits."""

T = TypeVar("T")


def left_work(folder: Path) -> list[Path]:
    """What drivers of a cluster that were killed left in the folder of their results, which must be held."""
    return sorted(folder.glob(f"{SHARED_WORK}????????"))


def remove_left_work(folder: Path) -> None:
    """Remove that."""
    for leftover in left_work(folder):
        shutil.rmtree(leftover, ignore_errors=True)


class Place(Protocol):
    """A flat folder of files, somewhere. All but `str` raise OSError where it cannot be used as it should."""

    def make(self) -> None:
        """Have it there, and see that files can be written."""

    def names(self) -> list[str]:
        """The files in it, sorted; none where it is not there."""

    def read(self, name: str) -> bytes:
        """A file's content."""

    def read_each(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """The content of files, a few at a time; None for one that is not there, or cannot be read."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file, or another in its place."""

    def put(self, source: Path, name: str) -> None:
        """Write a copy of a file of this machine."""

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to this machine."""

    def remove(self, name: str) -> None:
        """Remove a file."""

    def clear(self) -> None:
        """Remove it with all that is in it; nothing where it is not there."""

    def below(self, name: str) -> "Place":
        """The folder of that name in it."""


@dataclass(frozen=True)
class FolderPlace:
    """A folder that all who use it see under the same name."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)

    def make(self) -> None:
        """See `Place`."""
        self.path.mkdir(parents=True, exist_ok=True)

    def names(self) -> list[str]:
        """See `Place`."""
        if not self.path.is_dir():
            return []
        with os.scandir(self.path) as entries:
            return sorted(entry.name for entry in entries if entry.is_file())

    def read(self, name: str) -> bytes:
        """See `Place`."""
        return (self.path / name).read_bytes()

    def read_each(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """See `Place`."""
        for name in names:
            try:
                content: bytes | None = self.read(name)
            except OSError:
                content = None
            yield content

    def write(self, name: str, content: bytes) -> None:
        """See `Place`."""
        with replacing(self.path / name, durable=False) as scratch:
            scratch.write_bytes(content)

    def put(self, source: Path, name: str) -> None:
        """See `Place`."""
        with replacing(self.path / name, durable=False) as scratch:
            shutil.copyfile(source, scratch)

    def fetch(self, name: str, target: Path) -> None:
        """See `Place`."""
        shutil.copyfile(self.path / name, target)

    def remove(self, name: str) -> None:
        """See `Place`."""
        (self.path / name).unlink(missing_ok=True)

    def clear(self) -> None:
        """See `Place`."""
        if self.path.exists():
            shutil.rmtree(self.path)

    def below(self, name: str) -> "FolderPlace":
        """See `Place`."""
        return FolderPlace(self.path / name)


@dataclass(frozen=True)
class URLPlace:
    """What an fsspec URL names, such as `s3://bucket/runs`.

    Keys, addresses of servers and the like come from fsspec's own configuration, on each machine. What fails, unless a
    file is not there, is tried once more over a new connection.
    """

    url: str

    def __str__(self) -> str:
        return self.url

    def make(self) -> None:
        """See `Place`."""
        self._do(lambda files, path: files.makedirs(path, exist_ok=True))
        self.write(PROBE, b"")
        self.remove(PROBE)

    def names(self) -> list[str]:
        """See `Place`."""

        def listed(files: Any, path: str) -> list[str]:
            files.invalidate_cache()
            try:
                entries = files.ls(path, detail=True)
            except FileNotFoundError:
                return []
            return sorted(entry["name"].rpartition("/")[2] for entry in entries if entry["type"] == "file")

        return self._do(listed)

    def read(self, name: str) -> bytes:
        """See `Place`."""
        content: bytes = self._do(lambda files, path: files.cat_file(f"{path}/{name}"))
        return content

    def read_each(self, names: Sequence[str]) -> Iterator[bytes | None]:
        """See `Place`."""
        for start in range(0, len(names), AT_ONCE):
            some = names[start : start + AT_ONCE]
            yield from self._do(lambda files, path, some=some: _contents(files, [f"{path}/{name}" for name in some]))

    def write(self, name: str, content: bytes) -> None:
        """See `Place`."""
        self._do(lambda files, path: files.pipe_file(f"{path}/{name}", content))

    def put(self, source: Path, name: str) -> None:
        """See `Place`."""
        self._do(lambda files, path: files.put_file(str(source), f"{path}/{name}"))

    def fetch(self, name: str, target: Path) -> None:
        """See `Place`."""
        self._do(lambda files, path: files.get_file(f"{path}/{name}", str(target)))

    def remove(self, name: str) -> None:
        """See `Place`."""
        self._do(lambda files, path: _gone(lambda: files.rm_file(f"{path}/{name}")))

    def clear(self) -> None:
        """See `Place`."""
        self._do(lambda files, path: _gone(lambda: files.rm(path, recursive=True)))

    def below(self, name: str) -> "URLPlace":
        """See `Place`."""
        return URLPlace(f"{self.url.removesuffix('/')}/{name}")

    def _do(self, action: Callable[..., T]) -> T:
        """What an action on the file system gives; its errors, which may be of any kind, as OSError."""
        for last in (False, True):
            try:
                return action(*_connected(self.url, anew=last))
            except (FileNotFoundError, UsageError):
                raise
            except Exception as error:  # each file system has its own
                if last:
                    raise OSError(f"{type(error).__name__}: {error}") from error
        raise AssertionError


def check_url(url: str) -> None:
    """UsageError for what is no URL, or one of a file system that is not known or whose package is not installed."""
    if "://" not in url:
        raise UsageError(f"{url!r} is no URL such as s3://bucket/runs")
    if url.startswith("memory:") or any(sign in url for sign in "*?["):
        raise UsageError(f"{url}: is no place that other processes find again; wanted: such as s3://bucket/runs")
    try:
        _, path = _connection(url, anew=False)
    except UsageError:
        raise
    except Exception as error:  # each file system has its own, as for a wrong password
        raise UsageError(f"{url}: {type(error).__name__}: {error}") from error
    if not path and not url.startswith("ftp:"):  # whose root is a folder like any other
        raise UsageError(f"{url}: names no folder; wanted: such as s3://bucket/runs")


_connections: dict[tuple[int, str], tuple[float, Any, str]] = {}
"""By process, since none may use one that another has opened, and URL."""


def _connected(url: str, *, anew: bool = False) -> tuple[Any, str]:
    """The file system of a URL and the path in it, over the connection that was used a moment ago, unless `anew`.

    UsageError where there is no such file system, or its package is not installed.
    """
    key = os.getpid(), url
    used, files, path = _connections.get(key, (-math.inf, None, ""))
    idle = time.monotonic() - used >= IDLE_SECONDS
    if anew or idle:
        files, path = _connection(url, anew or files is not None)
    _connections[key] = time.monotonic(), files, path
    return files, path


def _connection(url: str, anew: bool) -> tuple[Any, str]:
    try:
        import fsspec  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as error:
        raise UsageError(f"{url}: needs {error.name}: {EXTRA}") from error
    try:
        files, path = fsspec.core.url_to_fs(url, **({"skip_instance_cache": True} if anew else {}))
    except (ImportError, ValueError) as error:  # a package that is wanted for it, or a protocol that nobody knows
        raise UsageError(f"{url}: {error}") from error
    return files, path.rstrip("/")


def _contents(files: Any, paths: Sequence[str]) -> list[bytes | None]:
    """The content of files, None for those that are not there."""
    found = files.cat(list(paths), on_error="return")
    contents: list[bytes | None] = []
    for path in paths:
        content = found[files._strip_protocol(path)]
        if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
            raise content
        contents.append(content if isinstance(content, bytes) else None)
    return contents


def _gone(remove: Callable[[], None]) -> None:
    with suppress(FileNotFoundError):
        remove()
