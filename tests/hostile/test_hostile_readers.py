"""Every reader against files damaged at random: each is read, or refused by an error that names it.

Ten files a reader by default; SALBENCH_FUZZ=N tries N times as many; `python tests/hostile/fuzz.py 5000` prints the
table.
"""

import os
import sys
from pathlib import Path

import fuzz
import mutation
import pytest
from readers import READERS

TIMES = int(os.environ.get("SALBENCH_FUZZ", "1"))
INPUTS = 10

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bounds of memory as Linux has them")


@pytest.fixture(scope="module")
def counts(tmp_path_factory):
    """What became of all readers' files, in a process without this one's modules and threads."""
    folder = tmp_path_factory.mktemp("fuzz")
    return fuzz.fuzz_apart(INPUTS * TIMES, folder)


@pytest.mark.parametrize("name", [reader.name for reader in READERS])
def test_a_damaged_file_is_read_or_refused_by_name(counts, name):
    """Catches a traceback, a signal, a hang, memory on a file's word, and an error that does not say which file."""
    count = counts[name]
    assert count.crashes == []
    assert count.inputs == count.accepted + count.refused > 0


def test_the_table_counts_every_reader(counts):
    """Catches readers that are listed and never tried."""
    text = fuzz.table(list(counts.values()))
    assert [line[:32].strip() for line in text.splitlines()[1:-1]] == [reader.name for reader in READERS]


def test_a_reader_that_crashes_is_told_with_its_file(tmp_path, monkeypatch):
    """Catches a harness that finds nothing: readers that die, hang, raise, hoard memory, or do not name the file."""
    for how in ("raises", "dies", "hangs", "hoards", "nameless"):
        count = fuzz.fuzz_reader(bad_reader(how), 3, tmp_path)
        assert len(count.crashes) == 1, how
        kept = Path(count.crashes[0].rpartition("[")[2].rstrip("]"))
        assert kept.read_bytes() == next(mutation.mutants([b"seed" * 9], 1, 2, how))
        assert (count.inputs, count.refused) == (3, 2)


def bad_reader(how: str):
    """A reader that does well but for file number 1."""
    from readers import Reader

    from salbench.errors import DataError

    bad = next(mutation.mutants([b"seed" * 9], 1, 2, how))

    def read(path: Path) -> None:
        if path.read_bytes() == bad:
            {"raises": raises, "dies": dies, "hangs": hangs, "hoards": hoards, "nameless": nameless}[how]()
        raise DataError(f"{path}: is refused")

    return Reader(how, "a.bin", lambda *_: [b"seed" * 9], read, hollow=True)


def raises() -> None:
    raise KeyError("x")


def dies() -> None:
    os.kill(os.getpid(), fuzz.signal.SIGKILL)


def hangs() -> None:
    fuzz.signal.setitimer(fuzz.signal.ITIMER_PROF, 0.2)
    while True:
        pass


def hoards() -> None:
    bytearray(2 * fuzz.MEMORY)


def nameless() -> None:
    from salbench.errors import DataError

    raise DataError("something is wrong somewhere")


def test_mutants_are_many_and_the_same_again():
    """Catches a mutator without effect, and a crash that cannot be made again."""
    seed = bytes(range(256)) * 4
    first, again = ([*mutation.mutants([seed, b"other" * 50], 0, 200, "x")] for _ in range(2))
    assert first == again
    assert len(set(first)) > 190
    assert first[50:60] == [*mutation.mutants([seed, b"other" * 50], 50, 60, "x")]
