"""What a user should know of a data set, as lines of text."""

import importlib
import textwrap
from pathlib import Path

from salbench.datasets.checking import EXPECTED
from salbench.datasets.recipes import RECIPES
from salbench.datasets.registry import DATASETS, DatasetRecord, salbench_home
from salbench.errors import UsageError
from salbench.names import unknown_name

BLUR = "the protocol's; data sets' own continuous maps are used where they lie beside the fixations"


def describe(name: str) -> list[str]:
    """Everything: what it is, its splits, where it lies and how, ground truth, terms. UsageError for an unknown one."""
    record = _record(name)
    expected = EXPECTED.get(name, {})
    splits = [f"{split} ({expected[split]:,})" if split in expected else split for split in record.splits]
    place = salbench_home() / "datasets" / record.home if record.home else None
    return [
        f"{name}: {record.description}",
        f"splits: {', '.join(splits)}",
        f"folder: {place if place is not None else 'none, it needs no file'}" + _there(place),
        f"fixations: {_module_text(record, 'GROUND_TRUTH')}",
        "outside the frame: dropped, never clamped, and counted",
        "to change: --viewers, --first-fixation and --outside of score, bounds, audit and train; a run records them",
        f"blur: {BLUR}",
        "",
        *terms(name),
        "",
        "how its files lie:",
        *textwrap.indent(_layout(record), "  ").splitlines(),
    ]


def terms(name: str) -> list[str]:
    """Citation, licence and archives. UsageError for an unknown data set."""
    record = _record(name)
    recipe = RECIPES.get(record.home)
    lines = [f"citation: {_module_text(record, 'CITATION') or 'none'}"]
    if recipe is None:
        return [*lines, "licence: as the files say; salbench does not fetch it"]
    lines += [f"licence: {recipe.licence}", f"page: {recipe.page}", "archives:"]
    return lines + [f"  {one.name}  {one.url}  MD5 {one.md5}" for one in recipe.archives]


def _record(name: str) -> DatasetRecord:
    try:
        return DATASETS[name]
    except KeyError:
        raise UsageError(unknown_name("data set", name, list(DATASETS))) from None


def _there(place: Path | None) -> str:
    if place is None:
        return ""
    return " (there)" if place.is_dir() else " (not there)"


def _layout(record: DatasetRecord) -> str:
    return (importlib.import_module(record.module).__doc__ or "").strip()


def _module_text(record: DatasetRecord, name: str) -> str:
    return str(getattr(importlib.import_module(record.module), name, ""))
