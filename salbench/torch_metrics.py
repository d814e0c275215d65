"""The metrics as stateful objects for training loops, with the names of torchmetrics' interface.

    nss = NSS()
    for images, fixation_maps in validation:
        nss.update(model(images), fixation_maps)
    print(nss.compute())

The one module of salbench that imports PyTorch; torchmetrics is not needed. Values are those of the functions of
`salbench.metrics` to the last digit, because these compute them, on copies in CPU memory: exact and deterministic, not
differentiable. They are for validation, not a loss.
"""

import hashlib
import inspect
from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, distributed, nn

from salbench.errors import SalbenchError, ShapeError, UsageError
from salbench.metrics import METRICS, Metric, Truth
from salbench.scoring.randomness import generator

_ARGUMENTS = {
    Truth.FIXATIONS: "fixation_maps",
    Truth.DENSITY: "ground_truth_maps",
    Truth.OTHERS: "other_maps",
    Truth.BASELINE: "baseline_maps",
}


class SaliencyMetric(nn.Module):
    """A metric's mean over all maps that it was given, batch by batch; values that are undefined (NaN) are left out.

    `update(saliency_maps, ...)` takes a batch of each map that the metric needs, in the order of its function or by
    name: `fixation_maps` or `ground_truth_maps`, then `other_maps` (sAUC) or `baseline_maps` (IG). Each is a tensor
    (N, H, W) or (N, 1, H, W) of any numeric type on any device; saliency maps may have another height and width.

    `options` go to the function, such as `jitter=False`. Random numbers (the three AUCs) are seeded by `seed`, metric
    and fixation map, so that values depend neither on the order of the maps nor on the number of processes.

    The state is `sum` (float64) and `count` (int64), in CPU memory wherever the module is moved. It is part of
    `state_dict` and of a pickle. Where `torch.distributed` is initialised, `compute` adds up the states of all
    processes of `process_group` (every one must call it) and leaves its own state as it is, unless `sync_on_compute`
    is False.
    """

    metric: ClassVar[Metric]
    higher_is_better: ClassVar[bool]
    is_differentiable: ClassVar[bool] = False
    signature: ClassVar[inspect.Signature]
    """The arguments of `update`, `forward` and of a call."""

    sum: Tensor
    count: Tensor

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        cls.higher_is_better = cls.metric.higher_is_better
        names = ["saliency_maps", *(_ARGUMENTS[need] for need in cls.metric.needs)]
        kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
        cls.signature = inspect.Signature([inspect.Parameter(name, kind, annotation=Tensor) for name in names])

    def __init__(
        self,
        *,
        seed: int = 0,
        sync_on_compute: bool = True,
        process_group: "distributed.ProcessGroup | None" = None,
        **options: Any,
    ) -> None:
        super().__init__()
        if not hasattr(type(self), "metric"):
            raise UsageError(f"{type(self).__name__} stands for no metric; wanted: one of {', '.join(TORCH_METRICS)}")
        parameters = inspect.signature(self.metric.function).parameters
        known = [name for name, p in parameters.items() if p.kind is p.KEYWORD_ONLY and name not in _PER_MAP]
        for name in options:
            if name not in known:
                raise UsageError(
                    f"{type(self).__name__} has no option {name!r}; its options: {', '.join(known) or 'none'}"
                )
        self.seed, self.options = seed, options
        self.sync_on_compute, self.process_group = sync_on_compute, process_group
        self._draws = "rng" in parameters
        self.reset()

    def update(self, *maps: Tensor, **named_maps: Tensor) -> None:
        """Take in a batch. Where one of its maps is refused, an error names argument and map, and nothing is taken in.

        Raises TypeError for missing or unknown arguments, UsageError for anything but tensors, ShapeError and
        ValueRangeError for maps that cannot be what their argument's name says.
        """
        self._add(self._values(*maps, **named_maps))

    def forward(self, *maps: Tensor, **named_maps: Tensor) -> Tensor:
        """`update`, and the mean of this batch alone, in this process alone: a float64 scalar."""
        values = self._values(*maps, **named_maps)
        self._add(values)
        defined = values[~torch.isnan(values)]
        return defined.mean()

    def compute(self) -> Tensor:
        """The mean over everything taken in since `reset`: a float64 scalar in CPU memory; NaN where there is nothing.

        With `torch.distributed`, over the maps of all processes.
        """
        total, count = self._over_all_processes()
        return total / count

    def reset(self) -> None:
        """Forget everything taken in."""
        self.sum = torch.zeros((), dtype=torch.float64)
        self.count = torch.zeros((), dtype=torch.int64)

    def merge_state(self, other: "SaliencyMetric | Mapping[str, Tensor]") -> None:
        """Take in all that another one of the same class took in, or a state as `metric_state` gives it.

        Raises UsageError for a metric of another class, or of other options or seed, and for a state without its parts.
        """
        if isinstance(other, SaliencyMetric):
            if type(other) is not type(self) or (other.options, other.seed) != (self.options, self.seed):
                raise UsageError(f"other is {other!r}, which cannot be merged into {self!r}")
            other = other.metric_state
        total, count = _parts(other, "other")
        self.sum, self.count = self.sum + total, self.count + count

    @property
    def metric_state(self) -> dict[str, Tensor]:
        """Copies of `sum` and `count`."""
        return {"sum": self.sum.clone(), "count": self.count.clone()}

    def get_extra_state(self) -> dict[str, Tensor]:
        """What `state_dict` stores. No buffers: DistributedDataParallel would overwrite those with one process's."""
        return self.metric_state

    def set_extra_state(self, state: Mapping[str, Tensor]) -> None:
        """What `load_state_dict` restores."""
        total, count = _parts(state, "state")
        self.sum, self.count = total.clone(), count.clone()

    def extra_repr(self) -> str:
        """Seed and options."""
        return ", ".join(f"{name}={value!r}" for name, value in {"seed": self.seed, **self.options}.items())

    def generator_of(self, fixation_map: npt.NDArray[Any]) -> np.random.Generator:
        """The random numbers for a map with these fixations, (H, W)."""
        fixated = np.asarray(fixation_map) != 0
        digest = hashlib.sha256(f"{fixated.shape}".encode() + np.packbits(fixated).tobytes()).hexdigest()
        return generator(self.seed, digest, self.metric.key)

    def __getstate__(self) -> dict[str, Any]:
        # A group of processes is known in its own process only.
        return {**self.__dict__, "process_group": None}

    def _values(self, *maps: Tensor, **named_maps: Tensor) -> Tensor:
        """The value of each map of a batch, (N,) float64."""
        batches = {n: _batch(n, m) for n, m in self.signature.bind(*maps, **named_maps).arguments.items()}
        lengths = {name: len(batch) for name, batch in batches.items()}
        if len(set(lengths.values())) > 1:
            told = ", ".join(f"{name} {length}" for name, length in lengths.items())
            raise ShapeError(f"the batches differ in length: {told}; wanted: as many maps of each")
        rows = zip(*batches.values(), strict=True)
        return torch.tensor([self._value(number, row) for number, row in enumerate(rows)], dtype=torch.float64)

    def _value(self, number: int, maps: tuple[npt.NDArray[Any], ...]) -> float:
        drawing = {"rng": self.generator_of(maps[1])} if self._draws else {}
        try:
            return self.metric.function(*maps, **drawing, **self.options)
        except SalbenchError as error:
            raise type(error)(f"map {number} of the batch: {error}") from error

    def _add(self, values: Tensor) -> None:
        defined = values[~torch.isnan(values)]
        self.sum, self.count = self.sum + defined.sum(), self.count + defined.numel()

    def _over_all_processes(self) -> tuple[Tensor, Tensor]:
        if not (self.sync_on_compute and distributed.is_available() and distributed.is_initialized()):
            return self.sum, self.count
        # NCCL moves only what lies in GPU memory. Counts are exact in float64 far beyond any number of maps.
        on_gpu = distributed.get_backend(self.process_group) == "nccl"
        place = torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")
        both = torch.stack([self.sum, self.count.to(torch.float64)]).to(place)
        distributed.all_reduce(both, op=distributed.ReduceOp.SUM, group=self.process_group)
        total, count = both.cpu()
        return total, count

    def clone(self) -> Self:
        """An independent copy, state included."""
        copy = type(self)(
            seed=self.seed, sync_on_compute=self.sync_on_compute, process_group=self.process_group, **self.options
        )
        copy.set_extra_state(self.metric_state)
        return copy


_PER_MAP = frozenset({"rng", "random_indices"})
"""Options of the functions that belong to one map, not to a whole training."""


def _parts(state: Mapping[str, Tensor], argument: str) -> tuple[Tensor, Tensor]:
    if not {"sum", "count"} <= state.keys():
        raise UsageError(f"{argument} has {', '.join(map(str, state)) or 'nothing'}; wanted: sum and count")
    return state["sum"].to("cpu", torch.float64), state["count"].to("cpu", torch.int64)


def _batch(argument: str, maps: Any) -> npt.NDArray[Any]:
    """(N, H, W) in CPU memory; 16-bit floats widened, since NumPy does not have all of them."""
    if not isinstance(maps, Tensor):
        raise UsageError(f"{argument} is of type {type(maps).__name__}; wanted: a torch.Tensor, (N, H, W)")
    shape = tuple(maps.shape)
    if not (len(shape) == 3 or (len(shape) == 4 and shape[1] == 1)):
        raise ShapeError(f"{argument} has shape {shape}; wanted: (N, H, W) or (N, 1, H, W)")
    copied = maps.detach().cpu()
    if copied.is_floating_point():
        copied = copied.to(torch.float64)
    array: npt.NDArray[Any] = copied.reshape(shape[0], *shape[-2:]).resolve_neg().numpy()
    return array


class AUCJudd(SaliencyMetric):
    """AUC-J: `update(saliency_maps, fixation_maps)`; see `salbench.metrics.auc_judd`.

    Its jitter is absolute: stretch maps whose range is small, such as densities, or pass `jitter=False`.
    """

    metric = METRICS["auc_judd"]


class AUCBorji(SaliencyMetric):
    """AUC-B: `update(saliency_maps, fixation_maps)`; see `salbench.metrics.auc_borji`."""

    metric = METRICS["auc_borji"]


class ShuffledAUC(SaliencyMetric):
    """sAUC: `update(saliency_maps, fixation_maps, other_maps)`; see `salbench.metrics.auc_shuffled`."""

    metric = METRICS["auc_shuffled"]


class NSS(SaliencyMetric):
    """NSS: `update(saliency_maps, fixation_maps)`; see `salbench.metrics.nss`."""

    metric = METRICS["nss"]


class InformationGain(SaliencyMetric):
    """IG: `update(saliency_maps, fixation_maps, baseline_maps)`; see `salbench.metrics.information_gain`."""

    metric = METRICS["information_gain"]


class CC(SaliencyMetric):
    """CC: `update(saliency_maps, ground_truth_maps)`; see `salbench.metrics.cc`."""

    metric = METRICS["cc"]


class SIM(SaliencyMetric):
    """SIM: `update(saliency_maps, ground_truth_maps)`; see `salbench.metrics.sim`."""

    metric = METRICS["sim"]


class KLDivergence(SaliencyMetric):
    """KL: `update(saliency_maps, ground_truth_maps)`; see `salbench.metrics.kl_divergence`."""

    metric = METRICS["kl_divergence"]


class EMD(SaliencyMetric):
    """EMD: `update(saliency_maps, ground_truth_maps)`; see `salbench.metrics.emd`."""

    metric = METRICS["emd"]


TORCH_METRICS: dict[str, type[SaliencyMetric]] = {
    of.metric.key: of for of in (AUCJudd, AUCBorji, ShuffledAUC, NSS, InformationGain, CC, SIM, KLDivergence, EMD)
}
"""Every class by the key of its metric, in printing order."""
