"""The exact optimal transport behind the EMD."""

import warnings

import numpy as np
import scipy

from salbench.arrays import FloatArray

MAX_ITERATIONS = 10_000_000


def transport_cost(source: FloatArray, target: FloatArray) -> float:
    """Cost of the optimal transport from one histogram on a grid of cells to another, Euclidean in cells.

    `source`, `target`: (H, W), the same sum; entries may be negative. As the ground distance is a metric, mass that
    both have in a cell stays there: only max(source - target, 0) is moved, to max(target - source, 0). That is exact,
    well defined for negative entries too, and shrinks the problem. NaN where an entry is NaN.
    """
    difference = (source - target).ravel()
    if not np.isfinite(difference).all():
        return np.nan
    from_cells, to_cells = np.flatnonzero(difference > 0), np.flatnonzero(difference < 0)
    supply, demand = difference[from_cells], -difference[to_cells]
    mass = supply.sum()
    if mass == 0 or demand.sum() == 0:
        return 0.0
    cells = np.indices(source.shape).reshape(2, -1).T.astype(np.float64)
    distances = scipy.spatial.distance.cdist(cells[from_cells], cells[to_cells])
    return float(mass * _solve(supply / mass, demand / demand.sum(), distances))


def _solve(supply: FloatArray, demand: FloatArray, distances: FloatArray) -> float:
    """The least cost of moving supply (n,) to demand (m,), both of sum 1, over distances (n, m)."""
    if supply.size < demand.size:
        supply, demand, distances = demand, supply, distances.T
    # The network simplex looks for its next pivot in the order of the arcs: this one is about twice as quick as none.
    rows, columns = np.argsort(supply, kind="stable"), np.argsort(demand, kind="stable")
    ordered = np.ascontiguousarray(distances[np.ix_(rows, columns)])
    from salbench.metrics.pot import check_result, emd_c  # noqa: PLC0415 - only EMD needs it

    with warnings.catch_warnings():
        warnings.simplefilter("error")  # POT warns, and returns a wrong figure, where it gives up
        _, cost, _, _, status = emd_c(supply[rows], demand[columns], ordered, MAX_ITERATIONS, 1)
        check_result(status)
    return float(cost)
