"""SalGAN checkpoints: safetensors with the whole generator in float32 and what is needed to use and repeat it.

The metadata's values are JSON. A file is never trusted: names, shapes, types and metadata are checked against what
the generator is, before any of it is used. Nothing here needs torch; `weights` does.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from salbench.atomic import replacing
from salbench.errors import DataError, UsageError
from salbench_models.salgan.config import parse_size
from salbench_models.salgan.layers import GENERATOR_SHAPES
from salbench_models.salgan.postprocessing import POSTPROCESSES
from salbench_models.salgan.preprocessing import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1
MEND = "make one with `salbench train salgan`"
LENGTH, METADATA = 8, "__metadata__"
"""Of the safetensors format: the bytes that tell its header's length, and the header's key of metadata."""


@dataclass(frozen=True)
class Header:
    """What a checkpoint says of itself. `size`: WIDTHxHEIGHT. `metrics`: the validation means of its epoch.

    `postprocess`: how its maps get the image's size, a key of POSTPROCESSES. `origin`: for weights that were not
    trained here, where they came from.
    """

    config: Mapping[str, Any]
    preprocessing: Preprocessing
    size: str
    trained_on: tuple[str, ...]
    epoch: int
    metrics: Mapping[str, float | None]
    seed: int
    salbench: str = ""
    postprocess: str = "exact"
    origin: Mapping[str, str] = field(default_factory=dict)

    @property
    def height_width(self) -> tuple[int, int]:
        """The network's input size in the order of arrays."""
        return parse_size(self.size)

    def as_metadata(self) -> dict[str, str]:
        """The header as safetensors metadata; this salbench signs it."""
        values = {
            "format": FORMAT,
            "config": dict(self.config),
            "preprocessing": self.preprocessing.as_record(),
            "size": self.size,
            "trained_on": list(self.trained_on),
            "epoch": self.epoch,
            "metrics": dict(self.metrics),
            "seed": self.seed,
            "salbench": version("salbench"),
        }
        # Left out where they say nothing, so that a training's checkpoint is what it was before there were these.
        if self.postprocess != "exact":
            values["postprocess"] = self.postprocess
        if self.origin:
            values["origin"] = dict(self.origin)
        return {key: json.dumps(value, allow_nan=False) for key, value in values.items()}


def read_header(path: Path) -> Header:
    """The checked header of a checkpoint, of which no weight is read.

    Raises DataError, naming the file, where it is missing, damaged, of another format or of another network.
    """
    check_there(path)
    from safetensors import SafetensorError, safe_open  # noqa: PLC0415 - part of the torch extra

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            slices = {name: file.get_slice(name) for name in file.keys()}  # noqa: SIM118 - safe_open is no mapping
            found = {name: (part.get_dtype(), tuple(part.get_shape())) for name, part in slices.items()}
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a whole safetensors file ({error}); {MEND}") from error
    check_tensors(path, found)
    return parse_header(path, metadata)


def check_there(path: Path) -> None:
    """DataError unless there is a file of that name, also where nobody can tell."""
    try:
        there = path.is_file()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {MEND}") from error
    if not there:
        raise DataError(f"{path}: no such checkpoint; {MEND}")


def check_tensors(path: Path, found: Mapping[str, tuple[str, tuple[int, ...]]]) -> None:
    """DataError unless the tensors are, by name, type and shape, those of the generator."""
    wanted = {name: ("F32", shape) for name, shape in GENERATOR_SHAPES.items()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise DataError(
            f"{path}: not a SalGAN generator; {len(wrong)} tensors differ, the first being {name!r}: "
            f"found {found.get(name, 'none')}, wanted {wanted.get(name, 'none')}; {MEND}"
        )


def parse_header(path: Path, metadata: Mapping[str, str]) -> Header:
    """The header out of a file's metadata; DataError for anything that is not as `as_metadata` writes it."""
    try:
        values = {key: json.loads(text) for key, text in metadata.items()}
        if values["format"] != FORMAT:
            raise DataError(f"{path}: checkpoint format {values['format']}, this salbench reads {FORMAT}; {MEND}")
        header = header_of(values)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError, UsageError) as error:
        raise DataError(f"{path}: its metadata is not a SalGAN checkpoint's ({error!r}); {MEND}") from error
    return header


def header_of(values: Mapping[str, Any]) -> Header:
    """The header of decoded metadata; errors of any kind for wrong values are the caller's to explain."""
    parse_size(values["size"])
    postprocess = values.get("postprocess", "exact")
    if postprocess not in POSTPROCESSES:
        raise ValueError(f"postprocess {postprocess!r}")
    return Header(
        config=dict(values["config"].items()),
        preprocessing=Preprocessing.from_record(values["preprocessing"]),
        size=values["size"],
        trained_on=tuple(str(name) for name in values["trained_on"]),
        epoch=int(values["epoch"]),
        metrics=dict(values["metrics"].items()),
        seed=int(values["seed"]),
        salbench=str(values["salbench"]),
        postprocess=postprocess,
        origin={str(key): str(text) for key, text in values.get("origin", {}).items()},
    )


def write_checkpoint(path: Path, weights: "Mapping[str, Tensor]", header: Header) -> None:
    """Write a whole checkpoint; a file of that name is replaced in one step."""
    from safetensors.torch import save  # noqa: PLC0415 - imports torch

    tensors = {name: tensor.detach().cpu().float().contiguous() for name, tensor in weights.items()}
    content = save(tensors, metadata=header.as_metadata())
    with replacing(path) as scratch, scratch.open("wb") as file:  # save_file would make it readable by its owner alone
        file.writelines(_in_order(content))


def _in_order(content: bytes) -> tuple[bytes | memoryview, ...]:
    """A safetensors file in pieces, with its metadata sorted: the library's order is another one at every call, and the
    check sum of a file would not tell whether two checkpoints are the same.
    """
    end = LENGTH + int.from_bytes(content[:LENGTH], "little")
    described = json.loads(content[LENGTH:end])
    described[METADATA] = dict(sorted(described[METADATA].items()))
    ordered = json.dumps(described, separators=(",", ":")).encode()
    ordered += b" " * (-len(ordered) % LENGTH)
    return len(ordered).to_bytes(LENGTH, "little"), ordered, memoryview(content)[end:]


def read_weights(path: Path) -> "dict[str, Tensor]":
    """The weights of a checkpoint whose header was read. DataError where they are not finite numbers."""
    from safetensors import SafetensorError  # noqa: PLC0415 - part of the torch extra
    from safetensors.torch import load_file  # noqa: PLC0415 - imports torch

    try:
        weights: dict[str, Tensor] = load_file(path)
    except (SafetensorError, OSError) as error:
        raise DataError(f"{path}: not a whole safetensors file ({error}); {MEND}") from error
    for name, tensor in weights.items():
        if not tensor.isfinite().all():
            raise DataError(f"{path}: {name} holds values that are not finite; {MEND}")
    return weights
