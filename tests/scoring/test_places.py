"""Places of files: each does what a folder does, and says why it cannot."""

import json
import os
import sys
from pathlib import Path

import pytest
from small_sets import make_maps, make_set

from salbench import places
from salbench.cli import main
from salbench.errors import RunError, UsageError
from salbench.places import FolderPlace, Place, URLPlace, check_url
from salbench.progress import Silent
from salbench.scoring.runner import score


@pytest.fixture(params=["folder", "file", "ftp"])
def place(request, tmp_path) -> Place:
    if request.param == "folder":
        return FolderPlace(tmp_path / "place" / "rows")
    if request.param == "file":
        return URLPlace(f"file://{tmp_path}/place/rows")
    return URLPlace(request.getfixturevalue("ftp").url).below("place").below("rows")


def test_every_kind_of_place_holds_files(place, tmp_path):
    """Catches a kind that lists what is not there, or is not listed at once, and content that is not written over."""
    assert place.names() == []
    place.clear()
    place.make()
    assert place.names() == []
    place.write("b.jsonl", b"two")
    place.write("a.jsonl", b"one")
    place.write("a.jsonl", b"first")
    inner = place.below(".inner")
    inner.make()
    inner.write("c", b"three")
    assert place.names() == ["a.jsonl", "b.jsonl"]
    assert inner.names() == ["c"]
    assert place.read("a.jsonl") == b"first"
    assert list(place.read_each(["b.jsonl", "a.jsonl"])) == [b"two", b"first"]
    source = tmp_path / "source"
    source.write_bytes(bytes(range(256)) * 1000)
    place.put(source, "big")
    place.fetch("big", tmp_path / "copy")
    assert (tmp_path / "copy").read_bytes() == source.read_bytes()
    place.remove("b.jsonl")
    assert place.names() == ["a.jsonl", "big"]
    place.clear()
    assert place.names() == []
    assert inner.names() == []


def test_many_files_are_read_in_their_order(place, monkeypatch):
    """Catches a batch that comes twice, or in the order of the server."""
    monkeypatch.setattr(places, "AT_ONCE", 3)
    place.make()
    names = [f"{number}" for number in range(8)]
    for name in names:
        place.write(name, name.encode())
    assert list(place.read_each(names[::-1])) == [name.encode() for name in names[::-1]]


def test_a_file_that_vanished_is_none(tmp_path):
    """Catches rows of before that end the run which would score them again."""
    place = URLPlace(f"file://{tmp_path}")
    place.write("a", b"one")
    assert list(place.read_each(["gone", "a"])) == [None, b"one"]


def test_a_connection_that_was_closed_is_opened_anew(ftp):
    """Catches a run of hours that ends because its server closed an idle connection."""
    place = URLPlace(ftp.url).below("rows")
    place.make()
    place.write("a", b"one")
    ftp.stop()
    ftp.start()
    assert place.names() == ["a"]
    ftp.stop()
    ftp.start()
    place.write("b", b"two")
    ftp.stop()
    ftp.start()
    assert list(place.read_each(["a", "b"])) == [b"one", b"two"]
    ftp.stop()
    with pytest.raises(OSError, match="refused"):
        place.names()
    ftp.start()


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("runs/rows", "is no URL such as s3://bucket/runs"),
        ("nosuch://bucket/runs", "nosuch"),
        ("ftp://127.0.0.1:1/runs", "refused"),
        ("memory://rows", "no place that other processes find again"),
        ("file:///rows/a[1]", "no place that other processes find again"),
        ("file:///", "names no folder"),
        ("github://a", "github://a: "),
    ],
)
def test_an_url_that_cannot_be_used_is_told_before_the_work(tmp_path, capsys, url, text):
    words = ["score", "--dataset", "synthetic", "--model", "centre", "-j", "1", "--out", str(tmp_path / "run")]
    assert main([*words, "--shards", url]) == 2
    assert text in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_wrong_password_is_told_before_the_work(tmp_path, ftp, capsys):
    """Catches a traceback of ftplib's own error."""
    words = ["score", "--dataset", "synthetic", "--model", "centre", "-j", "1", "--out", str(tmp_path / "run")]
    assert main([*words, "--shards", ftp.url.replace("secret", "guess")]) == 2
    assert "530 Authentication failed" in capsys.readouterr().err


def test_an_idle_connection_is_not_taken_from_fsspecs_own_store(monkeypatch):
    """Catches one that its server closed long ago, on which a worker then waits for TCP to give up."""
    asked = []

    def url_to_fs(url, **options):
        asked.append(options)
        return object(), "rows"

    monkeypatch.setattr("fsspec.core.url_to_fs", url_to_fs)
    monkeypatch.setattr(places, "_connections", {})
    times = iter([0.0, 0.0, 10.0, 10.0, 1000.0, 1000.0])
    monkeypatch.setattr(places.time, "monotonic", lambda: next(times))
    for _ in range(3):
        places._connected("sftp://host/rows")
    assert asked == [{}, {"skip_instance_cache": True}]


def test_a_place_that_cannot_be_had_leaves_nothing_behind(data, maps, tmp_path, ftp):
    """Catches a run folder that no command can use any more, because of a folder that may not be written."""
    ftp.folder.chmod(0o555)
    place = URLPlace(ftp.url).below("rows")
    if os.geteuid() == 0:  # who may write anywhere
        (ftp.folder / "rows").write_text("a file")
        url = str(place)
    else:
        url = ftp.url
    with pytest.raises(RunError, match="cannot be used"):
        score(data, predictions=maps, out=tmp_path / "run", shards=url)
    assert score(data, predictions=maps, out=tmp_path / "run").errors == 0


def test_a_finished_run_can_be_had_without_the_place_of_its_rows(data, maps, tmp_path, ftp, capsys):
    """Catches a result that is refused, or removed by --overwrite before it is known whether another can be made."""
    run = score(data, predictions=maps, out=tmp_path / "run")
    scores = (run.path / "scores.parquet").read_bytes()
    (run.path / "shards.json").write_text(json.dumps({"url": f"{ftp.url}salbench-0123456789abcdef"}))
    ftp.stop()
    assert score(data, predictions=maps, out=tmp_path / "run").scores.equals(run.scores)
    with pytest.raises(RunError, match=r"cannot be used .*or remove .*run, and leave them there"):
        score(data, predictions=maps, out=tmp_path / "run", overwrite=True)
    assert (run.path / "scores.parquet").read_bytes() == scores
    assert main(["doctor", str(run.path)]) == 1
    assert "shards.json tells of rows that are still elsewhere" in capsys.readouterr().out


def test_a_missing_package_is_told_like_a_place_that_is_away(data, maps, tmp_path, monkeypatch, capsys):
    """Catches a doctor that looks at no further folder, and one that connects to whatever a record names."""
    begun(data, maps, tmp_path / "run", f"file://{tmp_path}/rows")
    (tmp_path / "run" / "shards.json").write_text('{"url": "s3://bucket/salbench-0123456789abcdef"}')
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(RunError, match=r"s3://.*cannot be used .*s3fs"):
        score(data, predictions=maps, out=tmp_path / "run")
    assert main(["doctor", "--shards", str(tmp_path / "run"), str(tmp_path)]) == 1
    told = capsys.readouterr().out
    assert "s3fs" in told
    assert "holds neither a run nor a training" in told
    monkeypatch.setattr("salbench.places._connected", lambda *_, **__: pytest.fail("it was asked"))
    main(["doctor", str(tmp_path / "run")])
    assert "its rows lie in s3://bucket/salbench-0123456789abcdef, where nobody looked" in capsys.readouterr().out


def test_a_file_system_whose_package_is_missing_names_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(UsageError, match=r"s3://bucket/runs: .*s3fs"):
        check_url("s3://bucket/runs")


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return make_set(tmp_path_factory.mktemp("data") / "set", 20)


@pytest.fixture(scope="module")
def maps(tmp_path_factory) -> Path:
    return make_maps(tmp_path_factory.mktemp("maps") / "maps", 20)


class Interrupted(Silent):
    """Ends the scoring when the first chunk is finished."""

    def start(self, description: str, total: int, done: int = 0) -> None:
        self.scoring = description == "scoring"

    def advance(self, steps: int = 1, **figures: float) -> None:
        if self.scoring:
            raise KeyboardInterrupt


def begun(data, maps, out: Path, url: str, **options) -> None:
    with pytest.raises(KeyboardInterrupt):
        score(data, predictions=maps, out=out, progress=Interrupted(), shards=url, **options)


def test_two_runs_below_one_url_do_not_touch_each_other(data, maps, tmp_path):
    """Catches a run that takes another's rows for its own, or removes them when it is done."""
    rows = tmp_path / "rows"
    url = f"file://{rows}/"
    plain = score(data, predictions=maps, out=tmp_path / "plain")
    begun(data, maps, tmp_path / "one", url)
    begun(data, maps, tmp_path / "two", url, seed=1)
    assert len(list(rows.iterdir())) == 2
    (rows / "thesis.tex").touch()
    one = score(data, predictions=maps, out=tmp_path / "one", shards=url)
    assert len(list(rows.iterdir())) == 2
    score(data, predictions=maps, out=tmp_path / "two", seed=1)
    assert [path.name for path in rows.iterdir()] == ["thesis.tex"]
    assert one.scores.equals(plain.scores)
    assert (one.path / "scores.parquet").read_bytes() == (plain.path / "scores.parquet").read_bytes()


def test_a_run_does_not_change_the_place_of_its_rows(data, maps, tmp_path):
    """Catches rows that are made twice, and old ones that stay on a server for ever."""
    url = f"file://{tmp_path}/rows"
    begun(data, maps, tmp_path / "run", url)
    with pytest.raises(RunError, match=r"keeps its rows in file://.*rows/salbench-.*leave --shards out"):
        score(data, predictions=maps, out=tmp_path / "run", shards=f"file://{tmp_path}/others")
    score(data, predictions=maps, out=tmp_path / "run", overwrite=True)
    assert list((tmp_path / "rows").iterdir()) == []
    with pytest.raises(KeyboardInterrupt):
        score(data, predictions=maps, out=tmp_path / "own", progress=Interrupted())
    with pytest.raises(RunError, match=r"keeps its rows in .*own/shards: leave --shards out"):
        score(data, predictions=maps, out=tmp_path / "own", shards=url)


def test_a_place_that_is_away_costs_nothing(data, maps, tmp_path, ftp, capsys):
    """Catches a run that begins anew, and loses its rows, because a server is down for a moment."""
    begun(data, maps, tmp_path / "run", ftp.url)
    stored = sorted(path.name for path in ftp.folder.rglob("*.jsonl"))
    ftp.stop()
    with pytest.raises(RunError, match=r"ftp://.*cannot be used .*refused.*run the same command again"):
        score(data, predictions=maps, out=tmp_path / "run")
    assert main(["doctor", "--shards", str(tmp_path / "run")]) == 1
    assert "cannot be used" in capsys.readouterr().out
    ftp.start()
    assert sorted(path.name for path in ftp.folder.rglob("*.jsonl")) == stored
    score(data, predictions=maps, out=tmp_path / "run")
    assert list(ftp.folder.iterdir()) == []


def test_a_server_that_fails_in_the_middle_ends_the_run_and_the_same_command_goes_on(data, maps, tmp_path, ftp):
    """Catches scores without the rows that could not be written, and a traceback of ftplib's own errors."""

    class Stopper(Interrupted):
        def advance(self, steps: int = 1, **figures: float) -> None:
            if self.scoring and ftp.process.poll() is None:
                ftp.stop()

    with pytest.raises(RunError, match=r"cannot be written .*run the same command again"):
        score(data, predictions=maps, out=tmp_path / "run", progress=Stopper(), shards=ftp.url)
    ftp.start()
    run = score(data, predictions=maps, out=tmp_path / "run")
    assert run.scores.equals(score(data, predictions=maps, out=tmp_path / "plain").scores)


@pytest.mark.parametrize("content", ["{}", '{"url": "file:///home"}', '{"url": 3}', "[]"])
def test_a_record_that_names_no_place_of_rows_removes_nothing(data, maps, tmp_path, content):
    """Catches a damaged or hostile record that has a folder removed which no run made."""
    begun(data, maps, tmp_path / "run", f"file://{tmp_path}/rows")
    (tmp_path / "run" / "shards.json").write_text(content)
    for overwrite in (False, True):
        with pytest.raises(RunError, match=r"shards\.json"):
            score(data, predictions=maps, out=tmp_path / "run", overwrite=overwrite)
    assert list((tmp_path / "rows").rglob("*.jsonl"))


def test_maps_are_not_kept_in_a_folder_that_workers_do_not_write_to(data, tmp_path):
    with pytest.raises(UsageError, match="leave one out"):
        score(data, model="centre", save_maps=True, shards=f"file://{tmp_path}", out=tmp_path / "run")
