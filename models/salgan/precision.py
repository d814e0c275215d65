"""Whether a training is quicker in bf16 than in fp32 on its device: measured once, before the first step.

torch's own matter: some processors compute bf16, others imitate it several times slower, and only a measurement tells
how much the casts around it eat. Results of the two differ, so the decision is kept with the training.
"""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

from salbench.atomic import write_json
from salbench.environment import launch
from salbench.errors import RunError
from salbench.models import TrainingJob
from salbench_models.salgan.config import AUTO, SalGANConfig
from salbench_models.salgan.device import torch_device
from salbench_models.salgan.features import Painter
from salbench_models.salgan.layers import LOWER_BLOCKS
from salbench_models.salgan.losses import content_loss
from salbench_models.salgan.networks import new_generator
from salbench_models.salgan.reasons import first_line
from salbench_models.salgan.run_folder import PRECISION_FILE, precision_begun

GAIN = 1.1
"""How many times quicker bf16 must be: at least a tenth."""
ROUNDS = 3
"""Timed steps of each precision; the quickest counts, as it was disturbed least."""
PATIENCE = 20.0
"""Seconds after which no other step of a precision is begun, once one was timed: large batches take long on CPUs."""


def resolved(job: TrainingJob, config: SalGANConfig) -> SalGANConfig:
    """The configuration with `fp32` or `bf16` for its `auto`; any other as it is.

    A training that was begun keeps its precision, whoever chose it; else what an earlier call decided in the folder
    holds. RunError for a state or a decision that cannot be read, UsageError for a device that is not there.
    """
    if config.precision != AUTO:
        return config
    begun = precision_begun(job.out)
    if begun is not None:
        job.progress.note(f"precision {begun}: this training was begun with it")
        return dataclasses.replace(config, precision=begun)
    file = job.out / PRECISION_FILE
    decision = read_decision(file)
    if decision is None:
        decision = decide(config, torch_device(job.device))
        write_json(file, decision)
    job.progress.note(describe(decision))
    return dataclasses.replace(config, precision=decision["precision"])


def read_decision(file: Path) -> Mapping[str, Any] | None:
    """What was decided before; None where nothing was. RunError where it cannot be read."""
    try:
        decision: Mapping[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if decision["precision"] not in ("fp32", "bf16"):
            raise ValueError(f"precision {decision['precision']!r}")
        describe(decision)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError(f"{file} cannot be read ({error!r}); remove it to measure anew") from error
    return decision


def decide(config: SalGANConfig, device: torch.device) -> dict[str, Any]:
    """Measure, and tell what is better and why: `precision`, `device`, `seconds` of a step by precision, `reason`."""
    about = {"precision": "fp32", "device": device_name(device), "seconds": {}}
    if not computes_bf16(device):
        return {**about, "reason": f"{device_name(device)} does not compute bf16"}
    try:
        seconds = {name: step_seconds(config, device, name) for name in ("fp32", "bf16")}
    except RuntimeError as error:  # torch's, of any kind; what also stops fp32 is told by the training itself
        return {**about, "reason": f"a step could not be measured: {first_line(error)}"}
    quicker = seconds["fp32"] >= GAIN * seconds["bf16"]
    reason = f"bf16 is {'' if quicker else 'not '}quicker by a tenth or more"
    return {**about, "precision": "bf16" if quicker else "fp32", "seconds": seconds, "reason": reason}


def describe(decision: Mapping[str, Any]) -> str:
    """A decision on one line."""
    times = [f"{float(seconds):.3g} s a step in {name}" for name, seconds in decision["seconds"].items()]
    return f"precision {decision['precision']}: " + "; ".join([str(decision["reason"]), *times])


def device_name(device: torch.device) -> str:
    """What a device is, for people."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def computes_bf16(device: torch.device) -> bool:
    """Whether a device has arithmetic for bf16, as far as torch knows; one that imitates it has none."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return device.type == "cpu" and cpu_computes_bf16()


def cpu_computes_bf16() -> bool:
    """Whether the processor has instructions for bf16 and torch's convolutions use them."""
    level = torch.backends.cpu.get_cpu_capability()
    if level.startswith("AVX512") or level == "AMX":
        instructions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        # Older versions of torch cannot be asked, and then nothing is known.
        there = any(bool(getattr(torch.cpu, name, bool)()) for name in instructions)
    else:
        there = level.startswith("SVE")  # ARM's processors with SVE have bf16, x86's with less than AVX-512 have not
    return there and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def step_seconds(config: SalGANConfig, device: torch.device, precision: str) -> float:
    """Seconds of forward and backward of the content loss on random images, of the run's batch and size."""
    generator = new_generator(config.init, 0, frozen=config.freezes).to(device)
    step = made_up_step(config, Painter(generator), device)
    probe = next(parameter for parameter in generator.parameters() if parameter.requires_grad)
    spent: list[float] = []
    while len(spent) < 2 or (len(spent) <= ROUNDS and sum(spent) < PATIENCE):
        generator.zero_grad(set_to_none=True)
        began = time.perf_counter()
        with mixed(device, precision):
            loss = step()
        loss.backward()
        assert probe.grad is not None  # noqa: S101 - narrows the type
        probe.grad.flatten()[0].item()  # a GPU computes behind our back: this waits for it
        spent.append(time.perf_counter() - began)
    return min(spent[1:])  # the first chooses algorithms and reserves memory


def made_up_step(config: SalGANConfig, painter: Painter, device: torch.device) -> Callable[[], Any]:
    """The forward pass on one part of a process's share of a batch, from where the training begins.

    No global random number is drawn.
    """
    rng = torch.Generator().manual_seed(0)
    images = math.ceil(config.batch / (launch().count * config.accumulate))
    height, width = config.height_width
    truth = torch.rand(images, 1, height, width, generator=rng).to(device)
    kept = config.cache_features and not config.flips
    shape = (images, height // 8, width // 8, LOWER_BLOCKS[-1][-1].outputs) if kept else (images, height, width, 3)
    inputs = torch.rand(shape, generator=rng).permute(0, 3, 1, 2).to(device)
    return lambda: content_loss(config.loss, painter(inputs, from_features=kept), truth)


def mixed(device: torch.device, precision: str) -> AbstractContextManager[Any]:
    """The arithmetic of a step, as Lightning Fabric's `bf16-mixed` has it."""
    return torch.autocast(device.type, torch.bfloat16) if precision == "bf16" else nullcontext()
