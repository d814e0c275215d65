"""Random numbers that depend on what they are for, never on the order or the number of workers."""

import hashlib

import numpy as np


def generator(seed: int, *names: str) -> np.random.Generator:
    """A generator seeded by the SHA-256 of the run seed and of the names, such as stimulus id and metric key."""
    text = "\0".join((str(seed), *names))
    return np.random.default_rng(int.from_bytes(hashlib.sha256(text.encode()).digest(), "big"))
