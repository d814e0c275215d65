"""A server that rows can pass through."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).with_name("ftp_server.py")


class FTPPlace:
    """An FTP server, a process, over a folder of its own. `url`: where all who know it may write."""

    def __init__(self, folder: Path, log: Path) -> None:
        self.folder, self.log, self.port = folder, log, 0
        self.start()

    @property
    def url(self) -> str:
        return f"ftp://user:secret@127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start it, on the port of before."""
        # Deprecated modules of the standard library are pyftpdlib's business.
        words = [sys.executable, "-W", "ignore", str(SERVER), str(self.folder), str(self.port)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.log.read_text()
        self.port = int(line)

    def stop(self) -> None:
        """End every connection, and take no more."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def ftp(tmp_path_factory) -> Iterator[FTPPlace]:
    folder = tmp_path_factory.mktemp("ftp")
    (folder / "files").mkdir()
    place = FTPPlace(folder / "files", folder / "log")
    yield place
    place.stop()
