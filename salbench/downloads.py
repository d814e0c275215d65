"""Files from the network: resumed where a connection broke, checked before they have their name, never half there."""

import shutil
import socket
import time
from pathlib import Path
from typing import Any

import pooch
import requests

from salbench.errors import DataError
from salbench.progress import Progress

BLOCK = 1 << 14
"""Bytes that are written at a time, and at most as many are lost where a connection breaks."""
TRIES = 6
"""Connections in a row that may bring nothing; one that brings something starts the count anew."""
PAUSE = 1.0
"""Seconds before the second try; doubled for each further one."""
CONNECT, READ = 20, 60
"""Seconds without an answer, and without a byte."""
PAGE_STARTS = (b"<!doctype html", b"<html", b"<?xml", b"<head")


def fetch(url: str, target: Path, md5: str, by_hand: str, progress: Progress) -> Path:
    """Download a file, unless it is there, and check its MD5; its path.

    What was received stays beside it as `NAME.part` until it is whole, so that another call goes on. `by_hand`: the
    sentence that tells what to do where it cannot be had.
    DataError, with that sentence, for a connection that keeps failing, an answer that is a page (a login, a quota), a
    disk without room, and a wrong check sum, after which the next call begins anew.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    downloader = _Resuming(part, by_hand, progress)
    pooch.get_logger().setLevel("WARNING")  # it tells of each file; the progress does that here
    try:
        pooch.retrieve(url, known_hash=f"md5:{md5}", fname=target.name, path=target.parent, downloader=downloader)
    except ValueError as error:
        raise DataError(f"{url}: the file has another check sum than MD5 {md5} ({_short(error)}). {by_hand}") from error
    except OSError as error:
        raise DataError(f"{url}: cannot be fetched ({_short(error)}). {by_hand}") from error
    return target


def nobody_there(error: BaseException | None) -> OSError | None:
    """Why there was no connection at all: no such host, or one that takes none; None for one that broke."""
    while error is not None:
        if isinstance(error, socket.gaierror | ConnectionRefusedError):
            return error
        error = error.__cause__ or error.__context__
    return None


class _Resuming:
    """A downloader for pooch that goes on where `part` ends."""

    def __init__(self, part: Path, by_hand: str, progress: Progress) -> None:
        self.part, self.by_hand, self.progress = part, by_hand, progress
        self.answered = False

    def __call__(self, url: str, output_file: Any, pooch: Any, check_only: bool = False) -> bool | None:
        """Bring the file; pooch compares its check sum and gives it its name."""
        del pooch
        if check_only:
            return True
        failures, received = 0, self._received()
        while not self._receive(url):
            failures = 0 if self._received() > received else failures + 1
            received = self._received()
            if failures >= TRIES:
                raise DataError(
                    f"{url}: the connection keeps breaking off. Try again later: it goes on. {self.by_hand}"
                )
            time.sleep(PAUSE * 2**failures)
        shutil.move(self.part, str(output_file))
        return None

    def _received(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _receive(self, url: str) -> bool:
        """One connection; whether the file is whole after it."""
        start = self._received()
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={start}-"} if start else {})}
        try:
            with requests.get(url, headers=headers, stream=True, timeout=(CONNECT, READ)) as answer:
                self.answered = True  # from now on a missing network is one that went away, and may come back
                if start and answer.status_code == requests.codes.requested_range_not_satisfiable:
                    self.part.unlink()  # it is whole, or of another file: the check sum will tell, once it is fetched
                    return False
                self._refuse(url, answer)
                return self._store(answer, start if answer.status_code == requests.codes.partial_content else 0)
        except (requests.ConnectionError, requests.Timeout, requests.exceptions.ChunkedEncodingError) as error:
            missing = None if self.answered else nobody_there(error)
            if missing is not None:
                raise DataError(f"{url}: cannot be reached ({missing.strerror}). {self.by_hand}") from error
            return False
        except requests.RequestException as error:
            raise DataError(f"{url}: {_short(error)}. {self.by_hand}") from error

    def _refuse(self, url: str, answer: requests.Response) -> None:
        """DataError for an answer that cannot be the file."""
        if answer.status_code >= 500 or answer.status_code == requests.codes.too_many_requests:
            raise requests.ConnectionError(f"status {answer.status_code}")
        if answer.status_code >= 400:
            raise DataError(f"{url}: the server answers {answer.status_code} {answer.reason}. {self.by_hand}")
        if "html" in answer.headers.get("Content-Type", "").lower():
            raise DataError(f"{url}: the answer is a page, not the file: a login or a quota. {self.by_hand}")

    def _store(self, answer: requests.Response, start: int) -> bool:
        """Append what comes to the part, from `start` on; whether all of it came."""
        announced = answer.headers.get("Content-Length", "")
        total = start + int(announced) if announced.isdigit() else None
        self._check_room(answer.url, None if total is None else total - start)
        self.progress.start(f"fetching {self.part.name.removesuffix('.part')}", total or 0, start)
        try:
            with self.part.open("r+b" if start else "wb") as file:
                file.seek(start)
                for block in answer.iter_content(BLOCK):
                    if file.tell() == 0 and block.lstrip()[:20].lower().startswith(PAGE_STARTS):
                        raise DataError(f"{answer.url}: the answer is a page, not the file. {self.by_hand}")
                    file.write(block)
                    self.progress.advance(len(block))
                end = file.tell()
        finally:
            self.progress.finish()
        return total is None or end == total

    def _check_room(self, url: str, wanted: int | None) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if wanted is not None and wanted > free:
            raise DataError(f"{url}: {wanted:,} bytes, but {self.part.parent} has room for {free:,}. Make room first")


def _short(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
