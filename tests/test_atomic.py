import json
import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from salbench.atomic import replacing, write_json, write_text


@pytest.fixture
def umask():
    """Sets the process's umask and puts the old one back."""
    before = os.umask(0o022)
    yield os.umask
    os.umask(before)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_it_is_whole(tmp_path):
    """Catches writing to the name itself, which a reader or a crash would meet half done."""
    path = tmp_path / "new" / "folder" / "scores.txt"
    with replacing(path) as scratch:
        scratch.write_text("half")
        assert not path.exists()
        assert scratch.parent == path.parent  # a rename across file systems would not be atomic
        assert scratch.name.startswith(".")  # hidden from whoever lists the folder meanwhile
    assert path.read_text() == "half"
    assert names(path.parent) == ["scores.txt"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_after_an_error_the_old_file_is_there_and_the_new_one_is_not(tmp_path, error):
    """Catches a file lost to a full disk or Ctrl-C, and scratch files that pile up."""
    path = tmp_path / "scores.txt"
    write_text(path, "old")
    with pytest.raises(error), replacing(path) as scratch:
        scratch.write_text("half of the n")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["scores.txt"]


def test_after_an_error_no_file_appears(tmp_path):
    """Catches an empty file where none was."""
    with pytest.raises(OSError, match="disk full"), replacing(tmp_path / "scores.txt"):
        raise OSError("disk full")
    assert names(tmp_path) == []


def test_a_writer_that_takes_the_scratch_file_away_is_an_error(tmp_path):
    """Catches silence where nothing was written."""
    path = tmp_path / "scores.txt"
    write_text(path, "old")
    with pytest.raises(FileNotFoundError), replacing(path) as scratch:
        scratch.unlink()
    assert path.read_text() == "old"


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600), (0o002, 0o664)])
def test_permissions_follow_the_umask(tmp_path, umask, mask, mode):
    """Catches files that only their owner can read, which temporary files are: a shared run folder needs more."""
    umask(mask)
    write_text(tmp_path / "a.txt", "")
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode


def test_the_umask_is_never_set(tmp_path, monkeypatch):
    """Catches the umask read by setting it: files that other threads make meanwhile would be open to everyone."""

    def refuse(mask):
        raise AssertionError("the umask was set")

    monkeypatch.setattr(os, "umask", refuse)
    write_text(tmp_path / "a.txt", "text")
    assert (tmp_path / "a.txt").read_text() == "text"


def test_concurrent_writers_leave_one_whole_file(tmp_path):
    """Catches scratch names that collide, and a reader who meets a mixture or nothing."""
    path = tmp_path / "shared.txt"
    contents = [str(writer) * 20_000 for writer in range(8)]
    write_text(path, contents[0])
    done = threading.Event()

    def read():
        seen = set()
        while not done.is_set():
            seen.add(path.read_text())
        return seen

    with ThreadPoolExecutor(9) as pool:
        reader = pool.submit(read)
        for write in [pool.submit(write_text, path, text) for text in contents * 5]:
            write.result()
        done.set()
    assert reader.result() <= set(contents)
    assert path.read_text() in contents
    assert names(tmp_path) == ["shared.txt"]


def test_text_is_utf8_whatever_the_locale(tmp_path):
    """Catches the locale's encoding: names of authors and stimuli are not ASCII."""
    write_text(tmp_path / "a.txt", "Kümmerer ↑")
    assert (tmp_path / "a.txt").read_bytes() == "Kümmerer ↑".encode()


def test_json_is_strict_and_readable(tmp_path):
    """Catches NaN, which no other reader of JSON takes, and names escaped beyond recognition."""
    path = tmp_path / "run.json"
    write_json(path, {"author": "Kümmerer", "mean": 0.1})
    assert path.read_text(encoding="utf-8") == '{\n  "author": "Kümmerer",\n  "mean": 0.1\n}\n'
    for value in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(path, {"mean": value})
    assert json.loads(path.read_text(encoding="utf-8"))["mean"] == 0.1
    assert names(tmp_path) == ["run.json"]
