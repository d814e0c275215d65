"""Maps for the property tests. Their values are whole numbers, so that sums and changes of scale are exact."""

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp


@dataclass(frozen=True)
class Scene:
    """Two maps that are not flat, a fixation map and a map of other fixations, all of one size."""

    saliency: np.ndarray
    truth: np.ndarray
    fixations: np.ndarray
    others: np.ndarray


def maps(shape, top=255):
    """Not flat, not negative, with many ties or none."""
    levels = st.sampled_from([1, 4, top]).flatmap(
        lambda high: hnp.arrays(np.int64, shape, elements=st.integers(0, high), fill=st.nothing())
    )
    return levels.filter(lambda values: np.ptp(values) > 0).map(lambda values: values.astype(np.float64))


@st.composite
def point_maps(draw, shape, fewest=1):
    size = shape[0] * shape[1]
    chosen = draw(st.sets(st.integers(0, size - 1), min_size=fewest, max_size=size // 4))
    points = np.zeros(shape, dtype=np.uint8)
    points.flat[sorted(chosen)] = 1
    return points


@st.composite
def scenes(draw):
    shape = draw(st.tuples(st.integers(3, 9), st.integers(3, 9)))
    return Scene(draw(maps(shape)), draw(maps(shape)), draw(point_maps(shape, 2)), draw(point_maps(shape)))


@st.composite
def histogram_triples(draw):
    """Three maps of one size whose sides divide by 4."""
    shape = draw(st.tuples(st.sampled_from([8, 12, 16]), st.sampled_from([8, 12, 16])))
    return tuple(draw(maps(shape)) + 1 for _ in range(3))
