"""Work that ends its process, or never ends; a module of its own, so that workers can import it."""

import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def hang_in_c():
    """As a library does that goes round in a circle and lets no other thread of the process run."""
    re.match(r"(a+)+$", "a" * 64 + "b")


class StubbornError(Exception):
    """One that cannot be made anew from its text."""

    def __init__(self, one, other):
        super().__init__(f"{one} and {other}")


@dataclass
class DeadlyWork:
    """Squares numbers; what else it does with which ones. `log`: a line for each that it begins with."""

    log: Path
    dies: tuple[int, ...] = ()
    dies_once: tuple[int, ...] = ()
    hangs: tuple[int, ...] = ()
    hangs_in_c: tuple[int, ...] = ()
    raises: tuple[int, ...] = ()
    unready: bool = False

    def prepare(self):
        if self.unready:
            die()

    def __call__(self, chunk):
        return [self.square(number) for number in chunk]

    def square(self, number):
        before = self.log.read_text().split() if self.log.exists() else []
        with self.log.open("a") as file:
            file.write(f"{number}\n")
        if number in self.dies or (number in self.dies_once and str(number) not in before):
            die()
        if number in self.hangs:
            time.sleep(3600)
        if number in self.hangs_in_c:
            hang_in_c()
        if number in self.raises:
            raise StubbornError(number, "one more")
        return number * number


class Unsendable:
    """An item that cannot be pickled."""

    def __reduce__(self):
        raise TypeError("cannot pickle a thought")
