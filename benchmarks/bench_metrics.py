"""How long each metric takes: in milliseconds, in sorts of the same map, against a loop port and against pysaliency.

    python benchmarks/bench_metrics.py [--rounds N]

One process, one thread, all contestants in turn in each round, medians over the rounds. The unit "sort" is np.sort of
the map itself, which varies least between machines. pysaliency is measured where it
is installed (with PyTorch and setuptools < 81, which it imports).
"""

import argparse
import os
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["POT_BACKEND_DISABLE_PYTORCH"] = "1"

import loop_ports
import numpy as np
from numpy._core._multiarray_umath import __cpu_features__

from salbench import metrics
from salbench.maps import mit_density

SIZES = ((600, 800), (1024, 1024))
FIXATIONS, OTHER_FIXATIONS = 140, 1400


def scene(size):
    """A smooth map with fine texture, fixations drawn from it, and what the metrics compare it with."""
    rng = np.random.default_rng(0)
    points = np.zeros(size, dtype=bool)
    points.flat[rng.choice(points.size, 12, replace=False)] = True
    saliency = mit_density(points)
    saliency = saliency / saliency.max() + 0.05 * rng.random(size)
    fixated, others = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    likelihood = saliency.ravel() ** 2
    fixated.flat[rng.choice(fixated.size, FIXATIONS, replace=False, p=likelihood / likelihood.sum())] = True
    others.flat[rng.choice(others.size, OTHER_FIXATIONS, replace=False)] = True
    return saliency, fixated, others, mit_density(fixated), mit_density(others)


def contestants(size):
    """Metric key to what each contestant calls."""
    saliency, fixated, others, truth, baseline = scene(size)
    arguments = {
        "auc_judd": (saliency, fixated),
        "auc_borji": (saliency, fixated),
        "auc_shuffled": (saliency, fixated, others),
        "nss": (saliency, fixated),
        "information_gain": (saliency, fixated, baseline),
        **dict.fromkeys(("cc", "sim", "kl_divergence", "emd"), (saliency, truth)),
    }
    calls = {"sort": {"salbench": lambda: np.sort(saliency, axis=None)}}
    peers = pysaliency_calls(saliency, fixated, truth)
    for key, metric in metrics.METRICS.items():
        extra = {"rng": np.random.default_rng(1)} if key.startswith("auc") else {}
        port, given = getattr(loop_ports, key), arguments[key]
        calls[key] = {
            "salbench": lambda f=metric.function, a=given, k=extra: f(*a, **k),
            "loops": lambda f=port, a=given, k=extra: f(*a, **k),
        }
        if key in peers:
            calls[key]["pysaliency"] = peers[key]
    return calls


def pysaliency_calls(saliency, fixated, truth):
    """pysaliency's function for each metric that it has on bare maps; none where it is not installed.

    Its sAUC needs its data set objects and draws nothing, so a bare ROC of gathered values would be no comparison.
    """
    try:
        from pysaliency import metrics as peer
        from pysaliency.roc import general_roc
    except ImportError as error:
        print(f"pysaliency is not measured: {error}")
        return {}
    rows, columns = np.nonzero(fixated)
    return {
        "auc_judd": lambda: general_roc(saliency[fixated], saliency.ravel(), judd=1),
        "auc_borji": lambda: general_roc(saliency[fixated], saliency.ravel()),
        "nss": lambda: peer.NSS(saliency, columns, rows),
        "cc": lambda: peer.CC(saliency, truth),
        "sim": lambda: peer.SIM(saliency, truth),
        "kl_divergence": lambda: peer.MIT_KLDiv(saliency, truth),
    }


def measure(calls, rounds):
    """Median milliseconds by metric and contestant, everybody in turn in each round."""
    times = {key: {name: [] for name in by_name} for key, by_name in calls.items()}
    for _ in range(rounds):
        for key, by_name in calls.items():
            for name, call in by_name.items():
                began = time.perf_counter()
                call()
                times[key][name].append(1e3 * (time.perf_counter() - began))
    return {key: {name: float(np.median(t)) for name, t in by_name.items()} for key, by_name in times.items()}


def report(size, medians):
    sort = medians["sort"]["salbench"]
    print(f"\n{size[0]} x {size[1]}, {FIXATIONS} fixations; one sort of the map: {sort:.2f} ms")
    print(f"{'metric':<18}{'ms':>8}{'sorts':>8}{'loops/ours':>12}{'pysaliency/ours':>17}")
    rows = {key: times for key, times in medians.items() if key != "sort"}
    for key, times in rows.items():
        print(line(key, times, sort))
    print(line("all nine", {name: sum(t[name] for t in rows.values()) for name in ("salbench", "loops")}, sort))


def line(name, times, sort):
    ours = times["salbench"]
    peer = f"{times['pysaliency'] / ours:.1f}" if "pysaliency" in times else "-"
    return f"{name:<18}{ours:>8.2f}{ours / sort:>8.2f}{times['loops'] / ours:>12.1f}{peer:>17}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    features = [name for name, there in __cpu_features__.items() if there]
    print(f"NumPy {np.__version__}; processor features: {' '.join(features)}")
    for size in SIZES:
        calls = contestants(size)
        measure(calls, 1)
        report(size, measure(calls, rounds))


if __name__ == "__main__":
    main()
