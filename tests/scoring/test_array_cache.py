"""The cache of ground-truth maps: what is stored is what was made, whatever happens to the file or to the disk."""

import multiprocessing
import os
import pickle
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
from small_sets import make_maps, make_set

from salbench.array_cache import KEPT_SECONDS, ArrayCache, open_cache
from salbench.errors import UsageError
from salbench.scoring.runner import score

KEY = "ab" + "0" * 62
ARRAY = np.random.default_rng(0).random((5, 7))


def refuse() -> np.ndarray:
    raise AssertionError("made again although it was stored")


@pytest.fixture
def cache(tmp_path) -> ArrayCache:
    return ArrayCache(tmp_path, 10**6)


def stored(cache: ArrayCache) -> Path:
    return cache.path(KEY, ".npy")


def test_what_was_made_once_is_read_from_then_on(cache):
    first, again = cache.get(KEY, ARRAY.copy), cache.get(KEY, refuse)
    assert np.array_equal(first, ARRAY)
    assert np.array_equal(again, ARRAY)
    assert not first.flags.writeable
    assert not again.flags.writeable


def test_a_row_of_one_number_is_kept_too(cache):
    cache.get(KEY, lambda: np.array([[3.0]]))
    assert cache.get(KEY, refuse).tolist() == [[3.0]]


@pytest.mark.parametrize(
    "damage", ["cut", "zeros", "bits", "empty", "pickle", "text", "flat", "header", "narrow", "archive"]
)
def test_a_damaged_file_is_made_anew(cache, damage):
    """Catches a cache that trusts a file's header: after a power cut a file may be full of zeros."""
    cache.get(KEY, ARRAY.copy)
    path, whole = stored(cache), stored(cache).read_bytes()
    content = {
        "cut": whole[:-9],
        "zeros": whole[:128] + bytes(len(whole) - 128),
        "bits": whole[:200] + bytes([whole[200] ^ 1, *[whole[i] ^ 255 for i in range(201, 208)]]) + whole[208:],
        "empty": b"",
        "text": b"no array",
        "header": whole.replace(b")", b"(", 1),
    }.get(damage)
    if content is not None:
        path.write_bytes(content)
    elif damage == "flat":
        np.save(path, np.ones(3))
    elif damage == "narrow":
        np.save(path, np.ones((5, 0)))
    elif damage == "archive":
        np.savez(path.with_suffix(""), np.ones(3))
        path.with_suffix(".npz").replace(path)
    else:
        np.save(path, np.array([{}], dtype=object), allow_pickle=True)
    assert np.array_equal(cache.get(KEY, ARRAY.copy), ARRAY)
    assert np.array_equal(cache.get(KEY, refuse), ARRAY)


def test_above_the_limit_nothing_is_added(tmp_path):
    full = ArrayCache(tmp_path, ARRAY.nbytes - 1)
    assert np.array_equal(full.get(KEY, ARRAY.copy), ARRAY)
    assert not stored(full).exists()


def test_a_folder_that_cannot_be_written_costs_only_time(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    cache = ArrayCache(tmp_path / "file", 10**6)
    assert np.array_equal(cache.get(KEY, ARRAY.copy), ARRAY)


def test_only_what_was_long_unused_makes_room(tmp_path):
    cache = ArrayCache(tmp_path, 10**6)
    keys = [f"{number:02x}" + "0" * 62 for number in range(3)]
    for age, key in zip((3, 2, 0), keys, strict=True):
        cache.get(key, ARRAY.copy)
        then = time.time() - age * KEPT_SECONDS
        os.utime(cache.path(key, ".npy"), (then, then))
    scratch = cache.path(keys[0], ".npy").with_name(f".{keys[0]}.npy.0123abcd.tmp")
    scratch.write_text("by a killed process")
    foreign = [tmp_path / "go" / "thesis.tex", tmp_path / "00" / "data.tmp"]
    for path in foreign:
        path.parent.mkdir(exist_ok=True)
        path.write_text("not the cache's")
        os.utime(path, (0, 0))
    os.utime(scratch, (0, 0))
    size = cache.path(keys[0], ".npy").stat().st_size
    ArrayCache(tmp_path, 10**6).trim()
    assert [cache.path(key, ".npy").exists() for key in keys] == [True, True, True]
    assert not scratch.exists()
    ArrayCache(tmp_path, 2 * size).trim()
    assert [cache.path(key, ".npy").exists() for key in keys] == [False, True, True]
    ArrayCache(tmp_path, 0).trim()
    assert [cache.path(key, ".npy").exists() for key in keys] == [False, False, True]
    assert all(path.exists() for path in foreign)


def test_reading_is_using(cache):
    cache.get(KEY, ARRAY.copy)
    os.utime(stored(cache), (0, 0))
    cache.get(KEY, refuse)
    assert stored(cache).stat().st_mtime > time.time() - 60


def test_the_environment_names_folder_and_limit(tmp_path, monkeypatch):
    monkeypatch.setenv("SALBENCH_CACHE", str(tmp_path / "here"))
    monkeypatch.setenv("SALBENCH_CACHE_GIB", "0.5")
    assert open_cache() == ArrayCache((tmp_path / "here").resolve(), 2**29)
    monkeypatch.setenv("SALBENCH_CACHE_GIB", "much")
    with pytest.raises(UsageError, match=r"SALBENCH_CACHE_GIB.*much"):
        open_cache()


@pytest.mark.parametrize("named", ["", "blocked"])
def test_without_a_folder_to_write_to_a_passing_one_serves(tmp_path, monkeypatch, named):
    (tmp_path / "blocked").write_text("not a folder")
    monkeypatch.setenv("SALBENCH_CACHE", str(tmp_path / named) if named else "")
    passing = open_cache()
    assert passing.folder.is_dir()
    assert tmp_path not in passing.folder.parents
    passing.get(KEY, ARRAY.copy)
    assert not list(passing.folder.rglob("*.npy")), "gigabytes that a kill would leave behind"
    shutil.rmtree(passing.folder)
    assert open_cache().folder.is_dir()


def test_nobody_needs_a_home(monkeypatch):
    def homeless(*names, **options):
        raise RuntimeError("could not determine the home directory")

    monkeypatch.delenv("SALBENCH_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", homeless)
    assert open_cache().folder.is_dir()


def test_a_home_in_the_name_is_found(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SALBENCH_CACHE", "~/cache")
    assert open_cache().folder == (tmp_path / "cache").resolve()


def _make_all(cache: ArrayCache, seed: int) -> None:
    rng = np.random.default_rng(seed)
    for number in rng.permutation(40).tolist():
        array = np.full((50, 60), float(number))
        found = cache.get(f"{number:02x}{number:062x}", array.copy)
        if not np.array_equal(found, array):
            raise AssertionError(number)


def test_processes_that_make_the_same_arrays_at_once_agree(tmp_path):
    """Catches files that are visible while they are written."""
    context = multiprocessing.get_context("spawn")
    cache = ArrayCache(tmp_path, 10**8)
    makers = [context.Process(target=_make_all, args=(cache, seed)) for seed in range(3)]
    for maker in makers:
        maker.start()
    for maker in makers:
        maker.join()
    assert [maker.exitcode for maker in makers] == [0, 0, 0]
    assert len(list(tmp_path.glob("*/*"))) == 40


def test_a_worker_counts_for_itself(cache):
    cache.get(KEY, ARRAY.copy)
    assert pickle.loads(pickle.dumps(cache)).get(KEY, refuse).shape == ARRAY.shape


@pytest.mark.parametrize("protocol", ["mit300", "salicon2015"])
def test_scores_are_the_same_with_a_cold_a_warm_and_no_cache(tmp_path, monkeypatch, protocol):
    """Catches a key that forgets something, such as the blur, and a stored map that is not the made one."""
    data, maps = make_set(tmp_path / "set", fixations=90), make_maps(tmp_path / "maps")
    options = {"predictions": maps, "protocol": protocol, "metrics": None}
    monkeypatch.setenv("SALBENCH_CACHE", str(tmp_path / "cache"))
    runs = [
        score(data, **options, blur_sigma=sigma, out=tmp_path / f"{sigma}-{turn}").scores
        for turn in ("cold", "warm")
        for sigma in (None, 2.0)
    ]
    monkeypatch.setenv("SALBENCH_CACHE", "")
    without = score(data, **options, out=tmp_path / "none").scores
    assert runs[0].equals(runs[2])
    assert runs[1].equals(runs[3])
    assert runs[0].equals(without)
    assert runs[0]["cc"].notna().all()
    assert not runs[0]["cc"].equals(runs[1]["cc"])
    files = 3 if protocol == "mit300" else 1  # a map and, for MIT300, what metrics ask of it and IG's baseline
    assert len(list((tmp_path / "cache").glob("*/*.npy"))) == files * 2 * 6
