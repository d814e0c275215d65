"""Worker processes that die, hang and raise: what it costs, and whom."""

import multiprocessing

import pytest
from deadly_work import DeadlyWork, Unsendable

from salbench.errors import RunError, UsageError
from salbench.progress import Silent
from salbench.scoring.crew import DIED, DIED_TWICE
from salbench.scoring.workers import find_workers, run_chunks


def results(work, count=20, *, jobs=2, timeout=None, give_up=lambda number, reason: [reason]):
    """What became of each number, after all workers are gone."""
    found = {}
    for chunk, told in run_chunks(work, iter(range(count)), jobs, 4, timeout=timeout, give_up=give_up):
        assert not found.keys() & set(chunk), "done twice"
        found |= dict(zip(chunk, told, strict=True))
    assert multiprocessing.active_children() == []
    assert sorted(found) == list(range(count))
    return found


def expected(count=20, **others):
    return {number: number * number for number in range(count)} | others


def test_an_item_that_kills_its_worker_twice_is_given_up_and_costs_no_other(tmp_path):
    """Catches a run that ends, and neighbours in the chunk or in the other process that go with the deadly ones."""
    work = DeadlyWork(tmp_path / "log", dies=(5, 6, 19))
    assert results(work) == expected() | dict.fromkeys((5, 6, 19), DIED_TWICE)
    done = (tmp_path / "log").read_text().split()
    assert {number: done.count(str(number)) for number in (5, 6, 19)} == {5: 2, 6: 2, 19: 2}


def test_a_worker_that_was_killed_by_chance_costs_nothing(tmp_path):
    """Catches an error in the place of a score where the system had too little memory for a moment."""
    assert results(DeadlyWork(tmp_path / "log", dies_once=(0, 3, 11, 18))) == expected()


def test_what_hangs_is_given_up_even_where_it_holds_all_of_its_process(tmp_path):
    """Catches a run that waits for ever, and an end that needs the cooperation of what hangs in C."""
    late = "took longer than 0.7 seconds, the --timeout"
    work = DeadlyWork(tmp_path / "log", hangs=(2,), hangs_in_c=(9,))
    assert results(work, 12, timeout=0.7) == expected(12) | {2: late, 9: late}
    alone = DeadlyWork(tmp_path / "alone", hangs=(1,))
    assert results(alone, 4, jobs=1, timeout=0.7) == expected(4) | {1: late}


def test_without_a_way_to_give_up_the_second_death_ends_the_run(tmp_path):
    """Catches a validation that leaves out whatever kills its workers, and one that ends with the first death."""
    assert results(DeadlyWork(tmp_path / "once", dies_once=(7,)), give_up=None) == expected()
    with pytest.raises(RunError, match="a worker process died, perhaps for lack of memory"):
        results(DeadlyWork(tmp_path / "twice", dies=(7,)), give_up=None)
    with pytest.raises(RunError, match=r"took longer than 0\.7 seconds"):
        results(DeadlyWork(tmp_path / "late", hangs=(7,)), timeout=0.7, give_up=None)


@pytest.mark.parametrize("work", [{"unready": True}, {"dies": tuple(range(60))}], ids=["at the start", "at each item"])
def test_workers_that_die_whatever_they_do_end_the_run(tmp_path, work):
    """Catches processes that are started for ever, as where a script lacks its guard or a model never fits."""
    with pytest.raises(RunError) as caught:
        results(DeadlyWork(tmp_path / "log", **work), 60)
    assert str(caught.value) == DIED
    assert multiprocessing.active_children() == []


def test_an_error_of_the_work_itself_is_raised_here(tmp_path):
    """Catches an error that cannot travel and takes the process with it: a death without a reason."""
    with pytest.raises(RuntimeError, match="StubbornError: 6 and one more"):
        results(DeadlyWork(tmp_path / "log", raises=(6,)))


def test_what_cannot_be_sent_is_told(tmp_path):
    """Catches a wait for an item that never arrives."""
    with pytest.raises(UsageError, match="cannot be sent to worker processes"):
        list(run_chunks(DeadlyWork(tmp_path / "log"), [Unsendable()], 2))


def test_a_cluster_has_no_timeout():
    """Catches an option that is accepted and does nothing."""
    with pytest.raises(UsageError, match="a timeout is for processes of this machine"):
        find_workers("dask", "tcp://127.0.0.1:1", 1, Silent(), timeout=5.0)


def test_items_are_taken_only_as_they_are_needed(tmp_path):
    """Catches a million stimuli in memory while the first ones are worked on."""
    taken = []
    items = (taken.append(number) or number for number in range(400))
    done = run_chunks(DeadlyWork(tmp_path / "log"), items, 2, 4)
    next(done)
    assert len(taken) <= 4 * 6
    done.close()
    assert multiprocessing.active_children() == []
