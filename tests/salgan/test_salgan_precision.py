"""The choice of fp32 or bf16 by measurement: what it rests on, that it is kept, and that it disturbs nothing."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from salbench.errors import RunError
from salbench_models.salgan import SalGAN, SalGANConfig
from salbench_models.salgan import precision as precision_module
from salbench_models.salgan.checkpoint import read_header
from salbench_models.salgan.precision import (
    PRECISION_FILE,
    computes_bf16,
    cpu_computes_bf16,
    decide,
    describe,
    read_decision,
    resolved,
    step_seconds,
)

from .scenes import Recorder, same_weights
from .test_salgan_steps import CPU, interrupted_and_resumed

AUTO = SalGANConfig(size="32x32", batch=2, vgg_weights="torchvision", precision="auto")


@pytest.fixture
def times(monkeypatch):
    """A device that computes bf16, and what its steps take; a list of the steps that were measured."""

    def take(fp32, bf16):
        measured = []
        seconds = {"fp32": fp32, "bf16": bf16}
        monkeypatch.setattr(precision_module, "computes_bf16", lambda device: True)
        monkeypatch.setattr(
            precision_module, "step_seconds", lambda config, device, name: measured.append(name) or seconds[name]
        )
        return measured

    return take


@pytest.mark.parametrize(
    ("fp32", "bf16", "wanted"), [(1.1, 1.0, "bf16"), (1.09, 1.0, "fp32"), (1.0, 4.0, "fp32"), (2.0, 1.0, "bf16")]
)
def test_bf16_must_be_quicker_by_a_tenth(times, fp32, bf16, wanted):
    """Catches a comparison the wrong way round, and a gain that is only noise."""
    times(fp32, bf16)
    decision = decide(AUTO, CPU)
    assert decision["precision"] == wanted
    assert decision["seconds"] == {"fp32": fp32, "bf16": bf16}
    assert f"{fp32:.3g} s a step in fp32; {bf16:.3g} s a step in bf16" in describe(decision)


def test_bf16_is_not_tried_where_it_would_be_imitated(times, monkeypatch):
    """Catches a measurement that takes minutes where the processor has no such arithmetic."""
    measured = times(2.0, 1.0)
    monkeypatch.setattr(precision_module, "computes_bf16", lambda device: False)
    assert decide(AUTO, CPU)["precision"] == "fp32"
    assert measured == []


@pytest.mark.parametrize(
    ("level", "instructions", "mkldnn", "wanted"),
    [
        ("AVX512", True, True, True),
        ("AVX512", False, True, False),
        ("AVX512", True, False, False),
        ("AVX2", True, True, False),
        ("DEFAULT", True, True, False),
    ],
)
def test_a_cpu_computes_bf16_where_instructions_and_torch_do(monkeypatch, level, instructions, mkldnn, wanted):
    """Catches torch's own word, which is yes for every AVX-512, taken for the processor's."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: level)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instructions, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: mkldnn)
    assert cpu_computes_bf16() is wanted
    assert computes_bf16(CPU) is wanted


def test_other_devices_than_cpu_and_cuda_stay_in_fp32():
    """Catches bf16 on a device that nobody measured it on."""
    assert computes_bf16(torch.device("mps")) is False


@pytest.mark.parametrize(
    ("precision", "kind", "changes"),
    [
        ("fp32", torch.float32, {"accumulate": 2, "flips": True, "loss": "mse"}),
        ("bf16", torch.bfloat16, {"cache_features": True}),
    ],
)
def test_a_measurement_is_of_its_precision_and_disturbs_nothing(monkeypatch, precision, kind, changes):
    """Catches two measurements of the same arithmetic, and a training that depends on whether there was one.

    torch's and NumPy's random states are untouched.
    """
    kinds = []
    original = precision_module.content_loss

    def look(name, logits, truth):
        kinds.append(logits.dtype)
        return original(name, logits, truth)

    monkeypatch.setattr(precision_module, "content_loss", look)
    before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002 - it is looked at
    assert 0 < step_seconds(replace(AUTO, **changes), CPU, precision) < math.inf
    assert set(kinds) == {kind}
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


def test_a_slow_machine_is_not_measured_for_long(monkeypatch):
    """Catches minutes of measurement where a step takes half a minute: one to warm up, one that is timed."""
    clock = iter(range(0, 10_000, 30))
    monkeypatch.setattr(precision_module.time, "perf_counter", lambda: float(next(clock)))
    assert step_seconds(AUTO, CPU, "fp32") == 30
    assert next(clock) == 4 * 30


def test_auto_that_comes_to_fp32_is_fp32(finished, make_job, tmp_path, monkeypatch):
    """Catches a measurement that changes weights: bit for bit those of a training that was told fp32.

    The steps are really measured, in both precisions, but no gain would be enough.
    """
    monkeypatch.setattr(precision_module, "GAIN", math.inf)
    monkeypatch.setattr(precision_module, "computes_bf16", lambda device: True)
    job = make_job(tmp_path)
    checkpoint = SalGAN.train(job, replace(finished.config, precision="auto"))
    assert same_weights(checkpoint, finished.checkpoint)
    assert read_header(checkpoint).config["precision"] == "fp32"
    decision = json.loads((tmp_path / PRECISION_FILE).read_text())
    assert min(decision["seconds"].values()) > 0
    assert [note for note in job.progress.notes if note.startswith("precision ")] == [describe(decision)]


def test_a_resumed_training_keeps_what_was_decided(make_job, run_config, tmp_path, times):
    """Catches a run that goes on in another precision because the machine was busy: no step is measured again."""
    measured = times(2.0, 1.0)
    checkpoint = interrupted_and_resumed(make_job(tmp_path), replace(run_config, precision="auto"))
    assert measured == ["fp32", "bf16"]
    assert read_header(checkpoint).config["precision"] == "bf16"
    job = make_job(tmp_path, progress=Recorder())
    assert SalGAN.train(job, replace(run_config, precision="bf16")) == checkpoint


def test_a_training_keeps_the_precision_that_it_was_begun_with(finished, times):
    """Catches a training that knew its precision from the start, and that auto measures anew, refuses, or changes."""
    measured = times(2.0, 1.0)
    job = replace(finished.job, progress=Recorder())
    assert SalGAN.train(job, replace(finished.config, precision="auto")) == finished.checkpoint
    assert job.progress.notes[0] == "precision fp32: this training was begun with it"
    assert measured == []
    assert not (finished.folder / PRECISION_FILE).exists()


def test_a_damaged_state_is_named_by_auto_too(make_job, tmp_path):
    """Catches a traceback of the unpickler, and a measurement for a training that cannot go on."""
    (tmp_path / "state.pt").write_bytes(b"PK half a state")
    with pytest.raises(RunError, match=r"state\.pt cannot be read .*remove the folder to train anew"):
        resolved(make_job(tmp_path), AUTO)


def test_what_cannot_be_measured_stays_in_fp32(make_job, tmp_path, monkeypatch):
    """Catches a training that ends because bf16 has no kernel for one of its layers."""

    def fails(config, device, name):
        raise RuntimeError("no kernel\nat line 3")

    monkeypatch.setattr(precision_module, "computes_bf16", lambda device: True)
    monkeypatch.setattr(precision_module, "step_seconds", fails)
    job = make_job(tmp_path)
    assert resolved(job, AUTO).precision == "fp32"
    assert job.progress.notes == ["precision fp32: a step could not be measured: no kernel"]


@pytest.mark.parametrize("content", ["", "[]", '{"precision": "fp64"}', '{"precision": "fp32"}', "\xff"])
def test_a_damaged_decision_is_named(make_job, tmp_path, content):
    """Catches a traceback, and a precision that nobody knows."""
    (tmp_path / PRECISION_FILE).write_text(content, encoding="latin-1")
    with pytest.raises(RunError, match=r"precision\.json cannot be read .*remove it to measure anew"):
        read_decision(tmp_path / PRECISION_FILE)


def test_a_named_precision_is_neither_measured_nor_stored(make_job, tmp_path, times):
    """Catches a measurement that nobody asked for."""
    measured = times(2.0, 1.0)
    job = make_job(tmp_path)
    assert resolved(job, replace(AUTO, precision="fp32")).precision == "fp32"
    assert measured == []
    assert list(tmp_path.iterdir()) == []
