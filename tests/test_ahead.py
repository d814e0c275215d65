"""Work done ahead in threads: order, bounds, errors, and that nothing goes on when nobody wants it."""

import signal
import subprocess
import sys
import threading
import time
from contextlib import closing

import pytest

from salbench.ahead import in_order, one_ahead, readers


def own_threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("salbench-")]


def test_results_come_in_the_order_of_the_items():
    """Catches results in the order in which they are finished: the first item takes longest."""
    assert list(in_order(lambda n: time.sleep(0.05 * (n == 0)) or n, range(20), threads=4)) == list(range(20))
    assert list(in_order(str, [], threads=2)) == []


def test_as_many_items_as_threads_are_worked_on_at_once():
    """Catches a pool that is no quicker than a loop: three items that wait for each other are only done together."""
    together = threading.Barrier(3, timeout=10)
    assert len(list(in_order(lambda _: together.wait(), range(6), threads=3))) == 6


def test_no_more_than_two_items_a_thread_are_ahead():
    """Catches memory that grows with the number of items where the caller is slow."""
    begun = []
    with closing(in_order(lambda n: begun.append(n) or n, range(100), threads=2)) as results:
        for number in results:
            time.sleep(0.002)
            assert len(begun) <= number + 1 + 2 * 2
            if number == 20:
                break
    assert len(begun) < 30
    assert own_threads() == []


def test_an_error_is_raised_in_its_turn():
    """Catches an error that overtakes results before it, is swallowed, or leaves threads at work."""

    def reciprocal(number):
        return 1 / (3 - number)

    seen = []
    with pytest.raises(ZeroDivisionError):
        seen.extend(in_order(reciprocal, range(8), threads=4))
    results = in_order(reciprocal, range(8), threads=4)
    assert [next(results) for _ in range(3)] == [1 / 3, 1 / 2, 1]
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert own_threads() == []


def test_ctrl_c_ends_the_work_at_once():
    """Catches a thousand items that are all finished before Ctrl-C is heard: 50 seconds of work."""
    script = (
        "import time\nfrom salbench.ahead import in_order\n"
        "for n in in_order(lambda n: time.sleep(0.1), range(1000), threads=2):\n"
        "    print('on', flush=True)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout.readline() == b"on\n"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=15)
    assert process.returncode == -signal.SIGINT


def test_threads_are_shared_with_the_other_processes_of_a_torchrun(monkeypatch):
    """Catches eight processes that each start a thread for every core of the machine, and none where there are few."""
    monkeypatch.setattr("salbench.ahead.cores", lambda: 8)
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    assert readers() == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert readers() == 2
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "16")
    assert readers() == 1


def test_exactly_the_next_item_is_made_while_one_is_worked_on():
    """Catches items that are made only when they are asked for, and more than one ahead."""
    made = []

    def items():
        for number in range(5):
            made.append((number, threading.current_thread()))
            yield number

    with closing(one_ahead(items())) as numbers:
        for number in numbers:
            wanted = min(number + 2, 5)
            deadline = time.monotonic() + 10
            while len(made) < wanted:
                assert time.monotonic() < deadline
            time.sleep(0.01)
            assert len(made) == wanted
    assert [number for number, _ in made] == list(range(5))
    assert threading.main_thread() not in {thread for _, thread in made}


def broken():
    yield 1
    yield 2
    raise ZeroDivisionError


def test_the_iterators_error_comes_after_its_items():
    """Catches an error one item early, since the item after is made already, and an error that ends all in silence."""
    seen = []
    with pytest.raises(ZeroDivisionError):
        for item in one_ahead(broken()):
            seen.append(item)  # noqa: PERF402 - what came before the error is looked at
    assert seen == [1, 2]
    assert own_threads() == []


@pytest.mark.parametrize("how", ["break", "raise"])
def test_no_thread_stays_where_the_caller_stops_early(how):
    """Catches a thread that outlives the loop that it worked for."""

    def loop():
        with closing(one_ahead(iter(range(10)))) as numbers:
            for number in numbers:
                if number == 3:
                    if how == "break":
                        break
                    raise KeyError

    if how == "raise":
        with pytest.raises(KeyError):
            loop()
    else:
        loop()
    assert own_threads() == []
