"""Fetching data sets from a local server that cuts connections, lies, and answers with pages; archives that attack."""

import hashlib
import http.server
import io
import stat
import threading
import time
import zipfile
from dataclasses import dataclass, field, replace

import pytest

from salbench import downloads, getting
from salbench.archives import unpack
from salbench.cli import main
from salbench.datasets.recipes import RECIPES, Archive, Recipe
from salbench.errors import DataError, RunError, UsageError
from salbench.locks import held
from salbench.progress import Silent


def packed(files, compression=zipfile.ZIP_STORED):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


WHOLE = packed({"ALLSTIMULI/a.jpeg": "image" * 40_000, "ALLSTIMULI/b.jpeg": "other", "__MACOSX/x": "junk"})
PAGE = b"<!DOCTYPE html><html><title>Quota exceeded</title></html>"


@dataclass
class Script:
    """How the server answers: a list of behaviours, of which each request takes the next; the last stays."""

    behaviours: list[str] = field(default_factory=lambda: ["whole"])
    content: bytes = WHOLE
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def server():
    """A server on this machine with a `script`."""
    script = Script()

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_):
            pass

        def do_GET(self):
            asked = self.headers.get("Range")
            script.ranges.append(asked)
            behaviour = script.behaviours.pop(0) if len(script.behaviours) > 1 else script.behaviours[0]
            getattr(self, f"answer_{behaviour}")(int(asked[6:-1]) if asked else 0, asked)

        def head(self, status, length, kind="application/zip", **more):
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(length))
            for name, value in more.items():
                self.send_header(name, value)
            self.end_headers()

        def answer_whole(self, start, asked):
            self.head(206 if asked else 200, len(script.content) - start)
            self.wfile.write(script.content[start:])

        def answer_ignores_ranges(self, start, asked):
            self.head(200, len(script.content))
            self.wfile.write(script.content)

        def answer_cut(self, start, asked):
            self.head(206 if asked else 200, len(script.content) - start)
            self.wfile.write(script.content[start : start + 50_000])
            self.wfile.flush()
            self.connection.close()

        def answer_nothing(self, start, asked):
            self.connection.close()

        def answer_page(self, start, asked):
            self.head(200, len(PAGE), "text/html; charset=utf-8")
            self.wfile.write(PAGE)

        def answer_hidden_page(self, start, asked):
            self.head(200, len(PAGE), "application/octet-stream")
            self.wfile.write(PAGE)

        def answer_wrong(self, start, asked):
            self.head(200, len(script.content))
            self.wfile.write(script.content[:-1] + b"!")

        def answer_missing(self, start, asked):
            self.head(404, 0)

        def answer_busy(self, start, asked):
            self.head(503, 0)

        def answer_elsewhere(self, start, asked):
            self.head(302, 0, Location="/moved/file.zip")

        def answer_in_circles(self, start, asked):
            self.head(302, 0, Location=self.path)

        def answer_slow(self, start, asked):
            self.head(206 if asked else 200, len(script.content) - start)
            for place in range(start, len(script.content), 20_000):
                self.wfile.write(script.content[place : place + 20_000])
                self.wfile.flush()
                time.sleep(0.02)

        def answer_huge(self, start, asked):
            self.head(200, 1 << 60)
            self.wfile.write(script.content[:10])

    running = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    script.address = f"http://127.0.0.1:{running.server_port}"
    yield script
    running.shutdown()
    running.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0.001)


@pytest.fixture
def recipe(server, monkeypatch):
    """MIT1003 made of one small archive of the server's."""
    archive = Archive(
        "ALLSTIMULI.zip",
        f"{server.address}/f.zip",
        hashlib.md5(WHOLE, usedforsecurity=False).hexdigest(),
        ("ALLSTIMULI",),
    )
    made = Recipe("mit1003", "http://example.org/mit1003", "licence text", (archive,))
    monkeypatch.setattr(getting, "RECIPES", {"mit1003": made})
    return made


def listing(root):
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


DONE = [".salbench/ALLSTIMULI.zip.json", "ALLSTIMULI/a.jpeg", "ALLSTIMULI/b.jpeg"]


@pytest.mark.parametrize(
    "behaviours",
    [
        ["whole"],
        ["slow"],
        ["cut", "cut", "cut", "whole"],
        ["nothing", "nothing", "cut", "nothing", "whole"],
        ["busy", "busy", "whole"],
        ["elsewhere", "whole"],
        ["cut", "ignores_ranges"],
    ],
    ids=" ".join,
)
def test_the_data_set_is_there_whatever_the_server_does(server, recipe, tmp_path, behaviours):
    """Catches a file that is begun anew at each cut, junk that is unpacked, and archives that are left behind."""
    server.behaviours[:] = behaviours
    got = getting.get("mit1003", out=tmp_path / "mit")
    assert (got.root, got.fetched) == (tmp_path / "mit", ("ALLSTIMULI.zip",))
    assert listing(tmp_path / "mit") == DONE
    assert (tmp_path / "mit" / "ALLSTIMULI" / "a.jpeg").read_text() == "image" * 40_000


def test_a_cut_connection_is_gone_on_with_where_it_broke(server, recipe, tmp_path):
    """Catches a download that asks for what it has."""
    server.behaviours[:] = ["cut", "cut", "whole"]
    getting.get("mit1003", out=tmp_path / "mit")
    starts = [0 if asked is None else int(asked[6:-1]) for asked in server.ranges]
    assert [place // 50_000 for place in (1, *(start + 20_000 for start in starts[1:]))] == [0, 1, 2]


def test_another_call_goes_on_with_what_an_earlier_one_received(server, recipe, tmp_path):
    """Catches bytes that are thrown away when the connection stays away."""
    server.behaviours[:] = ["cut", "nothing"]
    with pytest.raises(DataError, match="keeps breaking off"):
        getting.get("mit1003", out=tmp_path / "mit")
    assert listing(tmp_path / "mit") == [".salbench/downloads/ALLSTIMULI.zip.part"]
    server.behaviours[:] = ["whole"]
    server.ranges.clear()
    getting.get("mit1003", out=tmp_path / "mit")
    (asked,) = server.ranges
    assert 50_000 - downloads.BLOCK < int(asked[6:-1]) <= 50_000
    assert listing(tmp_path / "mit") == DONE


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        ("page", "the answer is a page.*login or a quota"),
        ("hidden_page", "the answer is a page"),
        ("wrong", "another check sum"),
        ("missing", "answers 404"),
        ("nothing", "keeps breaking off"),
        ("in_circles", "[Rr]edirect"),
        ("huge", "Make room"),
    ],
)
def test_what_cannot_be_had_says_what_to_do_by_hand(server, recipe, tmp_path, behaviour, words):
    """Catches a page under an archive's name, half a folder, and an error that leaves the user alone."""
    server.behaviours[:] = [behaviour]
    with pytest.raises(DataError, match=words) as caught:
        getting.get("mit1003", out=tmp_path / "mit")
    if behaviour != "huge":
        assert "By hand: get ALLSTIMULI.zip from http://example.org/mit1003" in str(caught.value)
    assert not (tmp_path / "mit" / "ALLSTIMULI").exists()
    server.behaviours[:] = ["whole"]
    getting.get("mit1003", out=tmp_path / "mit")
    assert listing(tmp_path / "mit") == DONE


def test_what_is_there_is_not_fetched_again(server, recipe, tmp_path):
    getting.get("mit1003", out=tmp_path / "mit")
    server.ranges.clear()
    assert getting.get("mit1003", out=tmp_path / "mit").fetched == ()
    assert server.ranges == []


def test_archives_brought_by_hand_are_checked_alike(server, recipe, tmp_path):
    """Catches a damaged or other file that is trusted because a person brought it."""
    hand = tmp_path / "hand"
    hand.mkdir()
    with pytest.raises(DataError, match=r"ALLSTIMULI\.zip: no such file"):
        getting.get("mit1003", out=tmp_path / "mit", local=hand)
    (hand / "ALLSTIMULI.zip").write_bytes(WHOLE + b"x")
    with pytest.raises(DataError, match="MD5 is"):
        getting.get("mit1003", out=tmp_path / "mit", local=hand)
    (hand / "ALLSTIMULI.zip").write_bytes(WHOLE)
    getting.get("mit1003", out=tmp_path / "mit", local=hand)
    assert listing(tmp_path / "mit") == DONE
    assert (hand / "ALLSTIMULI.zip").exists()
    assert server.ranges == []


def test_a_mirror_is_asked_instead(server, recipe, tmp_path, monkeypatch):
    broken = replace(recipe, archives=(replace(recipe.archives[0], url="http://127.0.0.1:1/gone.zip"),))
    monkeypatch.setattr(getting, "RECIPES", {"mit1003": broken})
    getting.get("mit1003", out=tmp_path / "mit", mirror=f"{server.address}/mirror/", keep_archives=True)
    assert listing(tmp_path / "mit") == sorted([*DONE, ".salbench/downloads/ALLSTIMULI.zip"])


def test_what_a_person_put_there_is_not_overwritten(server, recipe, tmp_path):
    """Catches a user's own images replaced by a download."""
    (tmp_path / "mit" / "ALLSTIMULI").mkdir(parents=True)
    (tmp_path / "mit" / "ALLSTIMULI" / "mine.jpeg").write_text("mine")
    with pytest.raises(DataError, match="is there already"):
        getting.get("mit1003", out=tmp_path / "mit")
    assert (tmp_path / "mit" / "ALLSTIMULI" / "mine.jpeg").read_text() == "mine"


def test_an_unknown_data_set_and_one_that_is_not_fetched():
    with pytest.raises(UsageError, match="mit1003"):
        getting.get("mit103")
    with pytest.raises(UsageError, match="not fetched"):
        getting.get("osie-eye")


def test_the_command_shows_licence_and_citation_before_it_fetches(server, recipe, tmp_path, capsys):
    """Catches a download whose terms nobody saw."""
    server.behaviours[:] = ["missing"]
    assert main(["data", "get", "mit1003", "-o", str(tmp_path / "mit")]) == 1
    said = capsys.readouterr().err
    assert said.index("citation: Judd") < said.index("answers 404")
    assert main(["data", "info", "mit1003"]) == 0
    assert "licence: " in capsys.readouterr().out


def test_every_recipe_is_whole():
    """Catches a check sum that is cut, an address without its scheme, and a home that no data set has."""
    from salbench.datasets.registry import DATASETS

    homes = {record.home for record in DATASETS.values()}
    for home, recipe in RECIPES.items():
        assert home in homes
        for archive in recipe.archives:
            assert len(bytes.fromhex(archive.md5)) == 16
            assert archive.url.startswith(("http://", "https://"))
            assert archive.makes


# Hostile archives


def linked(name, target):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        member = zipfile.ZipInfo(name)
        member.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(member, target)
    return content.getvalue()


ATTACKS = {
    "climbs out": packed({"A/../../outside.txt": "x"}),
    "absolute": packed({"/outside.txt": "x"}),
    "a drive": packed({"C:/outside.txt": "x"}),
    "backslashes": packed({"A\\..\\..\\outside.txt": "x"}),
    "a link": linked("A/link", "/etc/passwd"),
    "a control character": packed({"A/\x1b[2J": "x"}),
    "a bomb": packed({"A/zeros": "0" * 50_000_000}, zipfile.ZIP_DEFLATED),
    "damaged": WHOLE[:-30],
    "no zip": b"PK no zip at all",
    "empty": b"",
    "without what it should make": packed({"B/x": "x"}),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_refused_and_leaves_nothing(tmp_path, attack):
    """Catches files outside the folder, links, bombs, and half an archive that looks like a whole one."""
    archive = tmp_path / "attack.zip"
    archive.write_bytes(ATTACKS[attack])
    root = tmp_path / "deep" / "root"
    with pytest.raises(DataError, match=r"attack\.zip"):
        unpack(archive, root, ["A"], Silent())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [archive]


def test_a_member_that_is_larger_than_it_says_is_refused(tmp_path):
    """Catches a header that lies about the size: Python's zipfile stops at it, or the check sum does."""
    content = bytearray(packed({"A/x": "y" * 5000}))
    for place in (content.find(b"PK\x03\x04") + 22, content.find(b"PK\x01\x02") + 24):
        content[place : place + 4] = (10).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(bytes(content))
    with pytest.raises(DataError, match=r"a\.zip"):
        unpack(tmp_path / "a.zip", tmp_path / "root", ["A"], Silent())
    assert not (tmp_path / "root" / "A").exists()


def test_an_unpacking_that_was_killed_while_moving_is_done_again(tmp_path):
    """Catches a data set that stays half after a kill between two moves."""
    archive = tmp_path / "a.zip"
    archive.write_bytes(packed({"A/x": "new", "B/y": "new"}))
    root = tmp_path / "root"
    (root / ".salbench").mkdir(parents=True)
    (root / ".salbench" / "a.zip.moving").write_text("A\nB\n")
    (root / "A").mkdir()
    (root / "A" / "x").write_text("from the killed call")
    unpack(archive, root, ["A", "B"], Silent())
    assert [(root / name).read_text() for name in ("A/x", "B/y")] == ["new", "new"]
    assert sorted(path.name for path in (root / ".salbench").iterdir()) == ["a.zip.json"]


@pytest.mark.parametrize(
    ("address", "reason"),
    [("http://127.0.0.1:1", "Connection refused"), ("http://no-such-host.invalid", "not known|resolution")],
)
def test_a_network_that_is_not_there_is_told_at_once(recipe, tmp_path, monkeypatch, address, reason):
    """Catches a minute of silence, and a connection that is said to break off though there was none."""
    monkeypatch.setattr(downloads.time, "sleep", lambda seconds: pytest.fail("waited for nobody"))
    with pytest.raises(DataError, match=rf"cannot be reached \(.*{reason}.*\)\. By hand: get ALLSTIMULI"):
        getting.get("mit1003", out=tmp_path / "mit", mirror=address)


def test_two_at_once_are_refused(server, recipe, tmp_path):
    """Catches two processes that unpack into one folder, of which one removes what the other is about to move."""
    with (
        held(tmp_path / "mit", "fetches data into"),
        pytest.raises(RunError, match="another process fetches data into"),
    ):
        getting.get("mit1003", out=tmp_path / "mit")
    assert server.ranges == []
    getting.get("mit1003", out=tmp_path / "mit")
    assert listing(tmp_path / "mit") == DONE
