"""`salbench compare`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from salbench.cli.options import ANY_PATH, metric_keys

if TYPE_CHECKING:
    from salbench.comparison import Comparison, MetricComparison, Rankings
    from salbench.scoring.run_folder import Run


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN_A RUN_B [RUN]...", type=ANY_PATH)
@click.option("--metrics", metavar="LIST", help="Metric keys, separated by commas.  [default: all in common]")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the resampling.")
@click.option("--out", "-o", type=ANY_PATH, metavar="FILE", help="Write the figures to a CSV file, too.")
def compare(runs: tuple[Path, ...], metrics: str | None, seed: int, out: Path | None) -> None:
    """Tell whether models differ by more than noise, on the very same stimuli.

    Of two runs: for each metric the mean difference with its 95 % bootstrap interval, the p of a paired permutation
    test, corrected for the number of metrics (Holm), Cohen's d for pairs, and on how many stimuli A is better. Of more
    runs: their ranks, and how firm those are when stimuli are drawn anew.
    Runs that were scored on other stimuli, ground truth or by another protocol are refused.

    \b
    Examples:
      salbench compare runs/gan4 runs/bce4
      salbench compare runs/* --metrics nss,auc_shuffled
    """
    from salbench.atomic import write_text

    if len(runs) < 2:
        raise click.UsageError("name at least two runs")
    keys = metric_keys(metrics)
    if len(runs) == 2:
        from salbench.comparison import compare as compare_runs

        found = compare_runs(*runs, metrics=keys, seed=seed)
        lines, table = _pair_lines(found), _pair_table(found)
    else:
        from salbench.comparison import rank

        ranked = rank(runs, metrics=keys, seed=seed)
        lines, table = _rank_lines(ranked), _rank_table(ranked)
    click.echo("\n".join(lines))
    if out is not None:
        write_text(out, _as_csv(table))
        click.echo(f"figures: {out}", err=True)


def _names(runs: "Sequence[Run]") -> list[str]:
    from salbench.plain_text import one_line
    from salbench.run_pictures import names_of

    return [one_line(name) for name in names_of(runs)]


def _pair_lines(found: "Comparison") -> list[str]:
    from salbench.cli.text import columns, heading_of, symbol_of

    a, b = _names(found.runs)
    rows = [["metric", "n", "A", "B", "A - B", "95 % interval", "p (Holm)", "d", "A better on", ""]]
    for one in found.metrics:
        sign = f"{one.difference.mean:+.4f}"
        interval = "-" if one.difference.low is None else f"{one.difference.low:+.4f} to {one.difference.high:+.4f}"
        effect = "-" if one.difference.effect is None else f"{one.difference.effect:+.2f}"
        means = [f"{mean:.4f}" for mean in one.means]
        cells = [symbol_of(one.key, found.runs[0]), str(one.difference.n), *means, sign, interval]
        rows.append([*cells, _p(one.adjusted), effect, _share(one), _verdict(one)])
    fewer = any(one.difference.n < found.runs[0].summary["n"] for one in found.metrics)
    return [
        f"A: {a}",
        f"B: {b}",
        f"on {heading_of(found.runs[0])}",
        "",
        *columns(rows),
        *(["means are over the n stimuli that both have a value on"] if fewer else []),
        *_left_out(found.left_out),
        *_warning(found),
    ]


def _left_out(reasons: "Mapping[str, str]") -> list[str]:
    return [f"{key} is left out: {why}" for key, why in reasons.items()]


def _share(one: "MetricComparison") -> str:
    from salbench.metrics import METRICS

    wins = one.difference.wins if METRICS[one.key].higher_is_better else 1 - one.difference.wins
    return f"{wins:.0%}"


def _verdict(one: "MetricComparison") -> str:
    return "within the noise" if one.better is None else f"{'AB'[one.better]} is better"


def _p(value: float | None) -> str:
    if value is None:
        return "-"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def _warning(found: "Comparison") -> list[str]:
    noisy = [one for one in found.metrics if one.better is None]
    if not noisy:
        return []
    return [
        "",
        f"warning: {len(noisy)} of {len(found.metrics)} differences are within the noise; do not rank by them",
        *_too_few(found),
    ]


def _too_few(found: "Comparison") -> list[str]:
    """A line where even stimuli that all say the same could not have passed: a sign each has but so many ways."""
    from salbench.comparison import SIGNIFICANT

    tested = [one for one in found.metrics if one.adjusted is not None]
    stimuli = min((one.difference.n for one in tested), default=0)
    least = len(tested) * 2.0 ** (1 - stimuli)
    if least <= SIGNIFICANT or not tested:
        return []
    return [
        f"with {stimuli} stimuli and {len(tested)} metrics p cannot be less than {min(least, 1.0):.2g}, "
        "whatever the scores: take more stimuli, or name fewer --metrics"
    ]


def _pair_table(found: "Comparison") -> list[list[object]]:
    head = [
        "metric",
        "n",
        "a",
        "b",
        "difference",
        "ci_low",
        "ci_high",
        "p",
        "p_holm",
        "cohens_d",
        "higher_on",
        "better",
    ]
    rows: list[list[object]] = [[*head]]
    for one in found.metrics:
        d = one.difference
        better = "" if one.better is None else "ab"[one.better]
        rows.append([one.key, d.n, *one.means, d.mean, d.low, d.high, d.p, one.adjusted, d.effect, d.wins, better])
    return rows


def _rank_lines(found: "Rankings") -> list[str]:
    from salbench.cli.text import columns, heading_of, symbol_of

    first, names = found.runs[0], _names(found.runs)
    lines = [f"ranks on {heading_of(first)}, with their range in 95 % of 999 draws of the stimuli"]
    for one in found.rankings:
        agreement = (
            "" if one.stability.agreement is None else f", Kendall's tau of the draws {one.stability.agreement:.2f}"
        )
        table = [["", "mean", "rank", "range", "first in"]]
        order = sorted(range(len(names)), key=lambda place: float(one.stability.rank[place]))
        for place in order:
            span = f"{one.stability.low[place]:g} to {one.stability.high[place]:g}"
            share = f"{one.stability.first[place]:.0%}"
            table.append([names[place], f"{one.means[place]:.4f}", f"{one.stability.rank[place]:g}", span, share])
        lines += ["", f"{symbol_of(one.key, first)}, {one.n} stimuli{agreement}", *columns(table)]
    return [*lines, *([""] if found.left_out else []), *_left_out(found.left_out)]


def _rank_table(found: "Rankings") -> list[list[object]]:
    rows: list[list[object]] = [["metric", "n", "run", "model", "mean", "rank", "rank_low", "rank_high", "first"]]
    names = _names(found.runs)
    for one in found.rankings:
        s = one.stability
        for place, run in enumerate(found.runs):
            figures = [float(values[place]) for values in (s.rank, s.low, s.high, s.first)]
            rows.append([one.key, one.n, str(run.path), names[place], one.means[place], *figures])
    return rows


def _as_csv(rows: list[list[object]]) -> str:
    import csv
    import io

    from salbench.tables.to_csv import safe_text

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        writer.writerow([safe_text(cell) if isinstance(cell, str) else "" if cell is None else cell for cell in row])
    return text.getvalue()
