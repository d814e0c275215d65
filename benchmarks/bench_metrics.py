"""How long each metric takes: in milliseconds, in sorts of the same map, and against three other ways.

    python benchmarks/bench_metrics.py [--rounds N]

- plain loops: the definitions in plain Python, pixel by pixel (`plain_loops.py`), measured once per size;
- NumPy port: the reference code's steps, one vectorised pass per threshold and split (`numpy_ports.py`);
- pysaliency, where it is installed (with PyTorch and setuptools < 81, which it imports): its function on bare maps.

One process, one thread; in each round everybody has a turn, in changing order; medians over the rounds. The unit "sort"
is np.sort of the same map, which varies less between machines than milliseconds; it is quick where NumPy sorts with
AVX-512 (see the list of features) and several times slower elsewhere, so compare sorts on similar processors only.

What pysaliency's functions do is not always the same. AUC-J: exact ROC at the fixations' values, no jitter. AUC-B: its
AUC against all pixels, by sorting them; ours draws 100 splits. NSS, CC, SIM, KL: the same but for conventions
(deviation over N, no range normalisation). sAUC, the same task: 100 splits, each drawn by NumPy's `choice` and handed
to its bare ROC function. Below the table stand two calls through its model and data set objects, as its manual has
them: the 100 splits by `AUC(nonfixations=...)`, the drawing left out, and its own `sAUC`, which draws nothing: one
exact ROC against all other fixations, a smaller task with another result, and much quicker. Information gain and EMD it
has not on bare maps.
"""

import argparse
import contextlib
import os
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["POT_BACKEND_DISABLE_PYTORCH"] = "1"

import numpy as np
import numpy_ports
import plain_loops
from numpy._core._multiarray_umath import __cpu_features__

from salbench import metrics
from salbench.maps import mit_density
from salbench.protocols import GroundTruth
from salbench.protocols.mit300 import MIT300

SIZES = ((600, 800), (1024, 1024))
FIXATIONS, OTHER_IMAGES = 140, 10
EXTRA = ("AUC-J, no jitter", "protocol, at once")
"""Measured too, and no part of the total."""

PORTS, LOOPS, PEER, OURS = "NumPy port", "plain loops", "pysaliency", "salbench"


def scene(size, *, eight_bits=False):
    """A smooth map with fine texture, fixations drawn from it, and what the metrics compare it with."""
    rng = np.random.default_rng(0)
    points = np.zeros(size, dtype=bool)
    points.flat[rng.choice(points.size, 12, replace=False)] = True
    saliency = mit_density(points)
    saliency = saliency / saliency.max() + 0.05 * rng.random(size)
    if eight_bits:
        saliency = np.round(255 * saliency / saliency.max()) / 255
    fixated, others = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    likelihood = saliency.ravel() ** 2
    fixated.flat[rng.choice(fixated.size, FIXATIONS, replace=False, p=likelihood / likelihood.sum())] = True
    others.flat[rng.choice(others.size, OTHER_IMAGES * FIXATIONS, replace=False)] = True
    return saliency, fixated, others, mit_density(fixated), mit_density(others)


def contestants(maps):
    """Metric key to what each contestant calls; beside the metrics what EXTRA lists, and "sort"."""
    saliency, fixated, others, truth, baseline = maps
    arguments = {
        "auc_judd": (saliency, fixated),
        "auc_borji": (saliency, fixated),
        "auc_shuffled": (saliency, fixated, others),
        "nss": (saliency, fixated),
        "information_gain": (saliency, fixated, baseline),
        **dict.fromkeys(("cc", "sim", "kl_divergence", "emd"), (saliency, truth)),
    }
    calls = {"sort": {OURS: lambda: np.sort(saliency, axis=None)}}
    peers = pysaliency_calls(saliency, fixated, others, truth)
    for key, metric in metrics.MAP_METRICS.items():
        extra = {"rng": np.random.default_rng(1)} if key.startswith("auc") else {}
        functions = {OURS: metric.function, PORTS: getattr(numpy_ports, key), LOOPS: getattr(plain_loops, key)}
        calls[key] = {
            name: lambda f=function, a=arguments[key], k=extra: f(*a, **k) for name, function in functions.items()
        }
        if key in peers:
            calls[key][PEER] = peers[key]
    known = GroundTruth(fixated, density=truth, other_map=others, baseline_map=baseline)
    rng = np.random.default_rng(1)
    calls["AUC-J, no jitter"] = {OURS: lambda: metrics.auc_judd(saliency, fixated, jitter=False)}
    if peers:
        calls["AUC-J, no jitter"][PEER] = peers["auc_judd"]
    calls["protocol, at once"] = {
        OURS: lambda: MIT300.evaluate(saliency, known, list(metrics.MAP_METRICS), lambda key: rng)
    }
    return calls


def pysaliency_calls(saliency, fixated, others, truth):
    """pysaliency's counterparts on bare maps, see above; none where it is not installed."""
    with contextlib.suppress(ImportError):
        from pysaliency import metrics as peer
        from pysaliency.roc import general_roc

        rows, columns = np.nonzero(fixated)
        rng, pool = np.random.default_rng(2), saliency[others]

        def auc_shuffled():
            positives = saliency[fixated]
            splits = (rng.choice(pool, FIXATIONS, replace=False) for _ in range(100))
            return np.mean([general_roc(positives, negatives)[0] for negatives in splits])

        def kl_divergence():
            with np.errstate(divide="ignore"):
                return peer.MIT_KLDiv(saliency, truth)

        return {
            "auc_judd": lambda: general_roc(saliency[fixated], saliency.ravel(), judd=1),
            "auc_borji": lambda: general_roc(saliency[fixated], saliency.ravel()),
            "auc_shuffled": auc_shuffled,
            "nss": lambda: peer.NSS(saliency, columns, rows).mean(),
            "cc": lambda: peer.CC(saliency, truth),
            "sim": lambda: peer.SIM(saliency, truth),
            "kl_divergence": kl_divergence,
        }
    return {}


def shuffled_aucs_of_pysaliency(maps):
    """What to print, and what to call: sAUC through its own objects; nothing where it is not installed.

    Eleven stimuli have this map; the 100 splits are those of the first.
    """
    try:
        import pysaliency
    except ImportError:
        return {}
    saliency, fixated, others = maps[:3]

    class SameForAll(pysaliency.SaliencyMapModel):
        def _saliency_map(self, stimulus):
            return saliency

    def fixations_at(rows, columns, image_of):
        return pysaliency.Fixations.create_without_history(columns, rows, image_of)

    own, other = np.array(np.nonzero(fixated)), np.array(np.nonzero(others))
    stimuli = pysaliency.Stimuli([np.full((*saliency.shape, 3), n, dtype=np.uint8) for n in range(OTHER_IMAGES + 1)])
    everything = fixations_at(*np.hstack([own, other]), np.repeat(np.arange(OTHER_IMAGES + 1), FIXATIONS))
    first, on_first = fixations_at(*own, np.zeros(FIXATIONS, dtype=int)), np.zeros(FIXATIONS, dtype=int)
    rng, model = np.random.default_rng(3), SameForAll()
    splits = [fixations_at(*rng.choice(other, FIXATIONS, axis=1, replace=False), on_first) for _ in range(100)]
    return {
        "100 splits through its objects": lambda: [model.AUC(stimuli, first, nonfixations=split) for split in splits],
        "its own sAUC of 11 stimuli": lambda: model.sAUC(stimuli, everything),
    }


def milliseconds(call):
    began = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - began)


def measure(calls, rounds, left_out):
    """Median milliseconds by metric and contestant. Who comes first finds the map in no cache: everybody in turn."""
    times = {key: {name: [] for name in by_name if name not in left_out} for key, by_name in calls.items()}
    for number in range(rounds + 1):
        for key, by_name in times.items():
            names = list(by_name)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                duration = milliseconds(calls[key][name])
                if number:  # the first round compiles and imports
                    by_name[name].append(duration)
    return {key: {name: float(np.median(t)) for name, t in by_name.items()} for key, by_name in times.items()}


def report(title, medians):
    sort = medians["sort"][OURS]
    print(f"\n{title}; one sort of the map: {sort:.2f} ms")
    print(f"{'':<19}{'ms':>8}{'sorts':>7}{LOOPS + '/ours':>18}{PORTS + '/ours':>17}{PEER + '/ours':>17}")
    rows = {key: times for key, times in medians.items() if key not in ("sort", *EXTRA)}
    for key, times in rows.items():
        print(line(key, times, sort, times))
    total = {name: sum(times[name] for times in rows.values() if name in times) for name in (OURS, LOOPS, PORTS, PEER)}
    among_peers = {name: sum(t[name] for t in rows.values() if PEER in t) for name in (OURS, PEER) if total[PEER]}
    ratios = {name: total[name] for name in (OURS, LOOPS, PORTS) if total[name]}
    print(line("all nine", total, sort, ratios))
    if among_peers:
        print(line("those of pysaliency", among_peers, sort, among_peers))
    for key in EXTRA:
        print(line(key, medians[key], sort, medians[key]))


def line(name, times, sort, compared):
    ours = times[OURS]
    ratios = [f"{compared[other] / ours:.1f}" if other in compared else "-" for other in (LOOPS, PORTS, PEER)]
    return f"{name:<19}{ours:>8.2f}{ours / sort:>7.2f}{ratios[0]:>18}{ratios[1]:>17}{ratios[2]:>17}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=21)
    rounds = parser.parse_args().rounds
    features = [name for name, there in __cpu_features__.items() if there]
    print(f"NumPy {np.__version__}; processor features: {' '.join(features)}")
    for size, eight_bits in ((SIZES[0], False), (SIZES[0], True), (SIZES[1], False)):
        maps = scene(size, eight_bits=eight_bits)
        calls = contestants(maps)
        medians = measure(calls, rounds, {LOOPS})
        for key, by_name in calls.items():
            if LOOPS in by_name and not eight_bits:
                medians[key][LOOPS] = milliseconds(by_name[LOOPS])
        kind = "8-bit map" if eight_bits else "float map"
        report(f"{size[0]} x {size[1]}, {kind}, {FIXATIONS} fixations", medians)
        for name, call in shuffled_aucs_of_pysaliency(maps).items():
            durations = [milliseconds(call) for _ in range(4)][1:]
            print(f"pysaliency, {name}: {np.median(durations):.2f} ms")


if __name__ == "__main__":
    main()
