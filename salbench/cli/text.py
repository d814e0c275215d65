"""Plain text for the terminal."""

from collections.abc import Mapping, Sequence
from typing import Any

from salbench.metrics import METRICS
from salbench.protocols import PROTOCOLS
from salbench.scoring.run_folder import Run


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of left-aligned columns."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))] if rows else []
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def summary_lines(run: Run) -> list[str]:
    """What a run found: a heading, a line per metric, and what was lost on the way."""
    manifest, summary = run.manifest, run.summary
    heading = f"{manifest['model']['title']} on {heading_of(run)}"
    table = [["metric", "mean", "95 % interval", "n"]]
    table += [_metric_line(key, summary["metrics"][key], run) for key in manifest["metrics"]]
    return [heading, "", *columns(table), "", *_losses(summary), f"run: {run.path}"]


def group_lines(run: Run, groups: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> list[str]:
    """A line per group with its number of stimuli and each metric's mean."""
    keys = run.manifest["metrics"]
    table = [["", "n", *(symbol_of(key, run) for key in keys)]]
    for name, figures in groups.items():
        count = max((figures[key]["n"] for key in keys), default=0)
        table.append([name, str(count), *(_number(figures[key]["mean"]) for key in keys)])
    return columns(table)


def heading_of(run: Run) -> str:
    """What a run was scored on, and by which rules."""
    dataset, protocol = run.manifest["dataset"], run.manifest["protocol"]
    return f"{dataset['title']}, split {dataset['split']}, protocol {protocol['label']} ({protocol['blur']})"


def symbol_of(key: str, run: Run) -> str:
    """A metric's symbol and direction under a run's protocol."""
    protocol, metric = run.manifest["protocol"]["key"], METRICS[key]
    symbol = PROTOCOLS[protocol].symbol(key) if protocol in PROTOCOLS else metric.symbol
    return f"{symbol} {metric.arrow}"


def _metric_line(key: str, figures: dict[str, Any], run: Run) -> list[str]:
    metric = METRICS[key]
    interval = f"{_number(figures['ci_low'])} to {_number(figures['ci_high'])}"
    unit = f" {metric.unit}" if metric.unit else ""
    return [symbol_of(key, run), _number(figures["mean"]) + unit, interval, str(figures["n"])]


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _losses(summary: dict[str, Any]) -> list[str]:
    """One line for each kind of loss that happened."""
    lines = []
    if summary["errors"]:
        lines.append(
            f"{summary['errors']} of {summary['n']} stimuli could not be scored: see `error` in scores.parquet"
        )
    if summary["without_fixations"]:
        lines.append(
            f"{summary['without_fixations']} stimuli have no fixations: undefined metrics are left out of the means"
        )
    lines += _undefined(summary)
    if summary["fixations_outside"]:
        lines.append(f"{summary['fixations_outside']:,} fixations outside the frame were dropped")
    return lines


def _undefined(summary: dict[str, Any]) -> list[str]:
    """A line for metrics that scored stimuli with fixations have no value of."""
    defined = summary["n"] - summary["errors"] - summary["without_fixations"]
    lost: dict[int, list[str]] = {}
    for key, figures in summary["metrics"].items():
        lost.setdefault(defined - figures["n"], []).append(METRICS[key].symbol)
    reason = "their maps are constant or hold NaN, or there are no other images"
    return [
        f"{', '.join(symbols)}: undefined for {count} stimuli with fixations: {reason}"
        for count, symbols in sorted(lost.items())
        if count > 0
    ]
