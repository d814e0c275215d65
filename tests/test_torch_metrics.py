"""The stateful metrics: the functions' values, what is left out, shapes, errors, processes, state."""

import copy
import io
import math
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from salbench import torch_metrics
from salbench.errors import ShapeError, UsageError, ValueRangeError
from salbench.metrics import MAP_METRICS, METRICS
from salbench.torch_metrics import CC, EMD, NSS, SIM, TORCH_METRICS, AUCBorji, AUCJudd, SaliencyMetric

SIZE = (40, 56)


def batch(count=3, *, seed=0, size=SIZE):
    """A batch of every map that a metric may need."""
    rng = np.random.default_rng(seed)
    fixations = np.zeros((count, *SIZE), dtype=bool)
    others = np.zeros((count, *SIZE), dtype=bool)
    for fixated, other in zip(fixations, others, strict=True):
        fixated.flat[rng.choice(fixated.size, 12, replace=False)] = True
        other.flat[rng.choice(other.size, 30, replace=False)] = True
    arrays = {
        "saliency_maps": rng.random((count, *size)),
        "fixation_maps": fixations,
        "ground_truth_maps": rng.random((count, *SIZE)),
        "other_maps": others,
        "baseline_maps": rng.random((count, *SIZE)),
    }
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def needed(metric, maps):
    return {name: maps[name] for name in metric.signature.parameters}


def by_function(metric, maps):
    """The values of the NumPy function, one map after the other."""
    values = []
    for row in zip(*(tensor.numpy() for tensor in needed(metric, maps).values()), strict=True):
        draws = {"rng": metric.generator_of(row[1])} if metric.metric.key.startswith("auc") else {}
        values.append(metric.metric.function(*row, **draws))
    return values


every_metric = pytest.mark.parametrize("kind", TORCH_METRICS.values(), ids=TORCH_METRICS)


def test_there_is_a_class_for_every_metric():
    """Catches a metric that is registered later and has no class, and a direction that differs."""
    assert list(TORCH_METRICS) == list(MAP_METRICS)
    for key, kind in TORCH_METRICS.items():
        assert kind.metric is METRICS[key]
        assert kind.higher_is_better is METRICS[key].higher_is_better


@every_metric
def test_values_are_those_of_the_functions(kind):
    """Catches maps handed over in the wrong order, and a mean of batch means over batches of unequal length."""
    metric, first, second = kind(), batch(3), batch(1, seed=1)
    metric.update(**needed(metric, first))
    metric.update(*needed(metric, second).values())
    value = metric.compute()
    assert value.shape == () and value.dtype == torch.float64
    assert value.item() == pytest.approx(np.mean(by_function(metric, first) + by_function(metric, second)), abs=1e-12)


@every_metric
def test_forward_returns_the_value_of_the_batch_and_takes_it_in(kind):
    """Catches a forward that returns the running mean, or that takes nothing in."""
    metric, first, second = kind(), batch(2), batch(2, seed=1)
    metric(**needed(metric, first))
    of_second = metric(**needed(metric, second))
    assert of_second.item() == pytest.approx(np.mean(by_function(metric, second)), abs=1e-12)
    assert metric.count == 4


@every_metric
def test_a_channel_of_one_is_the_same_as_none(kind):
    """Catches (N, 1, H, W) squeezed so that a batch of one loses its first dimension, too."""
    for count in (1, 2):
        maps = needed(kind, batch(count))
        flat, channelled = kind(), kind()
        assert flat(**maps) == channelled(**{name: tensor[:, None] for name, tensor in maps.items()})
        assert channelled.count == count


def test_saliency_maps_may_have_another_size():
    """Catches a check that forbids the resize that the functions do."""
    maps = batch(2, size=(10, 14))
    metric = NSS()
    assert metric(**needed(metric, maps)).item() == pytest.approx(np.mean(by_function(metric, maps)), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.uint8, torch.int64])
def test_every_type_of_a_network_is_read_with_its_values(dtype):
    """Catches types that NumPy lacks (bfloat16), and arithmetic in half precision."""
    maps = batch(2)
    predicted = (maps["saliency_maps"] * 255).to(dtype)
    wanted = {**maps, "saliency_maps": predicted.to(torch.float64)}
    metric = CC()
    assert metric(predicted, maps["ground_truth_maps"]).item() == pytest.approx(
        np.mean(by_function(metric, wanted)), abs=1e-12
    )


def test_a_map_in_the_graph_is_detached():
    """Catches a state that keeps every batch's graph alive."""
    maps = batch(2)
    metric = SIM()
    assert not metric(maps["saliency_maps"].requires_grad_(), maps["ground_truth_maps"]).requires_grad
    assert not metric.compute().requires_grad


def test_undefined_values_are_left_out():
    """Catches one map without fixations that turns a whole epoch into NaN, or that counts as zero."""
    maps = batch(3)
    maps["fixation_maps"][1] = False
    metric = NSS()
    values = by_function(metric, maps)
    assert math.isnan(values[1])
    metric.update(**needed(metric, maps))
    assert metric.count == 2
    assert metric.compute().item() == pytest.approx((values[0] + values[2]) / 2, abs=1e-12)


def test_nothing_defined_is_nan_without_a_warning():
    """Catches a zero, or an exception, where there is no value; warnings are errors here."""
    metric = NSS()
    assert metric.compute().isnan()
    assert metric(torch.rand(1, 4, 4), torch.zeros(1, 4, 4)).isnan()
    assert metric(torch.rand(0, 4, 4), torch.zeros(0, 4, 4)).isnan()
    assert metric.compute().isnan() and metric.count == 0


def test_reset_forgets():
    metric = CC()
    metric.update(**needed(metric, batch(2)))
    metric.reset()
    assert metric.compute().isnan() and metric.count == 0


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"saliency_maps": torch.rand(4, 5)}, ShapeError, "saliency_maps has shape (4, 5)"),
        ({"saliency_maps": torch.rand(2, 3, 4, 5)}, ShapeError, "saliency_maps has shape (2, 3, 4, 5)"),
        ({"saliency_maps": np.zeros((2, 4, 5))}, UsageError, "saliency_maps is of type ndarray"),
        ({"fixation_maps": torch.zeros(3, *SIZE)}, ShapeError, "fixation_maps 3"),
        ({"fixation_maps": torch.rand(2, *SIZE)}, ValueRangeError, "map 0 of the batch: fixation_map holds"),
        ({"saliency_maps": torch.full((2, 4, 5), torch.inf)}, ValueRangeError, "map 0 of the batch: saliency_map"),
    ],
    ids=["two-dimensional", "channels", "array", "lengths", "blurred", "infinite"],
)
def test_errors_name_the_argument_and_take_nothing_in(change, error, words):
    """Catches a refused batch that has changed the state by its first maps."""
    metric = NSS()
    maps = {**needed(metric, batch(2)), **change}
    with pytest.raises(error, match=re.escape(words)):
        metric.update(**maps)
    assert metric.count == 0 and metric.sum == 0


def test_missing_and_unknown_arguments_are_told_by_name():
    maps = batch(1)
    with pytest.raises(TypeError, match="fixation_maps"):
        NSS().update(maps["saliency_maps"])
    with pytest.raises(TypeError, match="ground_truth_maps"):
        NSS()(maps["saliency_maps"], maps["fixation_maps"], ground_truth_maps=maps["ground_truth_maps"])


def test_options_reach_the_function():
    """Catches options that are taken and ignored, such as a downsize that stays 32."""
    maps = batch(1)
    wanted = METRICS["emd"].function(maps["saliency_maps"][0], maps["ground_truth_maps"][0], downsize=8)
    assert EMD(downsize=8)(maps["saliency_maps"], maps["ground_truth_maps"]).item() == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("option", ["downsise", "random_indices", "rng", "saliency_map"])
def test_unknown_options_are_refused_at_once(option):
    """Catches an option that fails only in the first validation, an hour later."""
    with pytest.raises(UsageError, match=option):
        AUCBorji(**{option: 1})


def test_the_base_class_stands_for_no_metric():
    with pytest.raises(UsageError, match="no metric"):
        SaliencyMetric()


def test_random_draws_depend_on_seed_and_fixations_alone():
    """Catches draws that depend on the order of the maps, which shuffling and several processes change."""
    maps = batch(3)
    order = [2, 0, 1]
    forwards, backwards, reseeded = AUCBorji(), AUCBorji(), AUCBorji(seed=1)
    one = forwards(maps["saliency_maps"], maps["fixation_maps"])
    other = backwards(maps["saliency_maps"][order], maps["fixation_maps"][order])
    assert one.item() == pytest.approx(other.item(), abs=1e-14)
    assert reseeded(maps["saliency_maps"], maps["fixation_maps"]) != one


def test_states_merge():
    """Catches a merge of means instead of sums, and one that changes the metric that was merged."""
    together, left, right = CC(), CC(), CC()
    first, second = needed(CC, batch(3)), needed(CC, batch(1, seed=1))
    for metric, maps in ((together, first), (together, second), (left, first), (right, second)):
        metric.update(**maps)
    by_state = left.clone()
    left.merge_state(right)
    by_state.merge_state(right.metric_state)
    assert left.compute().item() == by_state.compute().item() == pytest.approx(together.compute().item(), abs=1e-14)
    assert right.count == 1


@pytest.mark.parametrize("other", [SIM(), {"sum": torch.zeros(())}], ids=["class", "part"])
def test_only_the_same_can_be_merged(other):
    with pytest.raises(UsageError):
        CC().merge_state(other)
    with pytest.raises(UsageError, match="seed=1"):
        AUCJudd().merge_state(AUCJudd(seed=1))


@every_metric
def test_the_state_survives_pickling_copying_and_a_checkpoint(kind):
    """Catches a resumed training that starts the mean anew, and checkpoints that `weights_only` refuses."""
    metric = kind(seed=3)
    metric.update(**needed(metric, batch(2)))
    file = io.BytesIO()
    torch.save(torch.nn.ModuleDict({"metric": metric}).state_dict(), file)
    file.seek(0)
    restored = torch.nn.ModuleDict({"metric": kind(seed=3)})
    restored.load_state_dict(torch.load(file, weights_only=True))
    for again in (pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric), metric.clone(), restored["metric"]):
        assert again.compute() == metric.compute() and again.count == 2
        again.update(**needed(metric, batch(1, seed=1)))
        assert again.count == 3 and again.seed == 3
    assert metric.count == 2


def test_moving_a_module_leaves_the_state_exact():
    """Catches `model.half()`, which would round a sum over an epoch to three digits."""
    metric = NSS()
    metric.update(**needed(metric, batch(2)))
    before = metric.compute()
    module = torch.nn.ModuleDict({"metric": metric}).to(torch.float16)
    assert module["metric"].compute() == before and metric.sum.dtype == torch.float64
    assert not list(module.buffers())


REDUCTION = """
import sys
import torch
from torch import distributed
sys.path.insert(0, sys.argv[3])
from test_torch_metrics import batch, needed
from salbench.torch_metrics import AUCBorji, NSS

rank, meeting = int(sys.argv[1]), sys.argv[2]
distributed.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
for kind in (NSS, AUCBorji):
    metric, alone = kind(), kind(sync_on_compute=False)
    for one in (metric, alone):
        one(**needed(kind, batch(3 if rank == 0 else 1, seed=rank)))
    # Twice: a reduction that changed the state would count everything double.
    print(metric.compute().item().hex(), metric.compute().item().hex(), alone.compute().item().hex(), int(metric.count))
distributed.destroy_process_group()
"""


def test_two_processes_compute_the_mean_over_the_maps_of_both(tmp_path):
    """Catches a mean of the processes' means, and a reduction that changes the state of a process."""
    command = [sys.executable, "-W", "ignore", "-c", REDUCTION]
    processes = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "meeting"), str(Path(__file__).parent)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in (0, 1)
    ]
    try:
        answers = [process.communicate(timeout=120) for process in processes]
    finally:
        for process in processes:
            process.kill()
    assert [process.returncode for process in processes] == [0, 0], answers
    lines = [out.splitlines() for out, _ in answers]
    for number, kind in enumerate((NSS, AUCBorji)):
        values = [by_function(kind(), batch(3 - 2 * rank, seed=rank)) for rank in (0, 1)]
        for rank in (0, 1):
            *figures, count = lines[rank][number].split()
            first, again, alone = map(float.fromhex, figures)
            assert first == again == pytest.approx(np.mean(values[0] + values[1]), abs=1e-12)
            assert alone == pytest.approx(np.mean(values[rank]), abs=1e-12)
            assert int(count) == len(values[rank])


def test_no_other_module_of_the_suite_imports_torch():
    """Catches an import that makes scoring ready maps need PyTorch."""
    own = Path(torch_metrics.__file__)
    for path in own.parent.rglob("*.py"):
        imports = re.findall(
            r"^\s*(?:import|from) (torch\b|salbench\.torch_metrics)", path.read_text("utf-8"), re.MULTILINE
        )
        assert path == own or not imports, path


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_maps_on_a_gpu_give_the_same_values():
    maps = needed(NSS, batch(2))
    on_gpu = {name: tensor.cuda() for name, tensor in maps.items()}
    assert NSS()(**on_gpu) == NSS()(**maps)
