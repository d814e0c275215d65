"""Sections of a table: published rows as they were printed, measured rows grouped by what makes them comparable."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from salbench.metrics import METRICS
from salbench.tables.layouts import Layout
from salbench.tables.marks import NOT_REVIEWED, marks_of
from salbench.tables.published import PublishedRow, PublishedSection, PublishedTable
from salbench.tables.runs import NOT_RECORDED, Run, Score, short_digest
from salbench.tables.structure import UNDEFINED, Cell, Column, Row, Section

_IG = "information_gain"


def columns_of(layout: Layout, papers: Sequence[PublishedTable], runs: Sequence[Run]) -> tuple[Column, ...]:
    """The layout's columns, or, where it names none, every metric of the rows: known ones first, in their order."""
    if layout.metrics is not None:
        return tuple(_column(key, layout.symbols) for key in layout.metrics)
    present = {key for paper in papers for key in paper.metrics} | {key for run in runs for key in run.scores}
    known = [key for key in METRICS if key in present]
    return tuple(_column(key) for key in (*known, *sorted(present - set(known))))


def _column(key: str, symbols: Mapping[str, str] = MappingProxyType({})) -> Column:
    metric = METRICS.get(key)
    if metric is None:
        return Column(key, key)
    return Column(key, symbols.get(key, metric.symbol), metric.arrow, metric.higher_is_better)


def published_sections(paper: PublishedTable, columns: Sequence[Column], *, named: bool) -> list[Section]:
    """A published table's sections; `named` adds the table's number to their titles."""
    suffix = f", published in Table {paper.number} of Pan et al." if named else ""
    return [_published_section(section, columns, suffix) for section in paper.sections]


def _published_section(section: PublishedSection, columns: Sequence[Column], suffix: str) -> Section:
    rows = tuple(_published_row(row, columns) for row in section.rows)
    return Section(section.title + suffix, "published", section.dataset, section.split, section.protocol, rows)


def _published_row(row: PublishedRow, columns: Sequence[Column]) -> Row:
    cells = tuple(Cell(row.values.get(column.key, UNDEFINED)) for column in columns)
    return Row(row.key, row.model, cells, marks=() if row.peer_reviewed else (NOT_REVIEWED,))


def with_baselines(runs: Sequence[Run], columns: Sequence[Column]) -> list[Run]:
    """The runs with their IG baseline among the protocol's details, or without any where no IG value is printed."""
    printed = any(column.key == _IG for column in columns) and any(_IG in run.scores for run in runs)
    if not printed:
        return [replace(run, ig_baseline="") for run in runs]
    said = [f"IG baseline: {run.ig_baseline or NOT_RECORDED}" for run in runs]
    return [replace(run, details=(*run.details, text)) for run, text in zip(runs, said, strict=True)]


def group_runs(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs that compare, together: same data set, split and ground truth, same protocol in every setting."""
    groups: dict[tuple[str, ...], list[Run]] = {}
    for run in runs:
        key = (run.dataset, run.split, run.settings, run.ig_baseline, run.fixations, run.maps)
        groups.setdefault(key, []).append(run)
    return list(groups.values())


def measured_sections(groups: Sequence[list[Run]], columns: Sequence[Column], layout: Layout) -> list[Section]:
    """A section for each group of runs."""
    titles = section_titles(groups)
    return [_measured_section(group, title, columns, layout) for group, title in zip(groups, titles, strict=True)]


def section_titles(groups: Sequence[list[Run]]) -> list[str]:
    """The groups' titles: data set, split, protocol; more of them where that would not tell the sections apart."""
    runs = [group[0] for group in groups]
    titles = [_title(run, *_settings(run, runs), *_ground_truth(run, runs)) for run in runs]
    return [_numbered(title, titles[:i].count(title)) for i, title in enumerate(titles)]


def _title(run: Run, *details: str) -> str:
    return ", ".join(
        (f"Measured: {run.dataset_title} ({run.dataset}/{run.split})", f"protocol {run.protocol_label}", *details)
    )


def _settings(run: Run, runs: Sequence[Run]) -> Iterator[str]:
    """What sets the run's protocol apart from those of runs that would have the same title."""
    alike = [other for other in runs if _title(other) == _title(run)]
    if len({other.protocol for other in alike}) > 1:
        yield f"protocol key {run.protocol}"
    if len({other.details for other in alike}) > 1:
        yield from run.details


def _ground_truth(run: Run, runs: Sequence[Run]) -> Iterator[str]:
    """Digests of the run's ground truth, where runs on the same split have another."""
    alike = [other for other in runs if (other.dataset, other.split) == (run.dataset, run.split)]
    if len({other.fixations for other in alike}) > 1:
        yield f"fixations {short_digest(run.fixations)}"
    if len({other.maps for other in alike}) > 1:
        yield f"maps {short_digest(run.maps)}"


def _numbered(title: str, before: int) -> str:
    """The title with a number where as many as `before` sections already have it, so that no two are the same."""
    return f"{title}, {before + 1}" if before else title


def _measured_section(group: Sequence[Run], title: str, columns: Sequence[Column], layout: Layout) -> Section:
    rows = tuple(_measured_row(run, columns, layout) for run in group)
    return Section(title, "measured", group[0].dataset, group[0].split, group[0].protocol, rows)


def _measured_row(run: Run, columns: Sequence[Column], layout: Layout) -> Row:
    cells = tuple(_measured_cell(run.scores.get(column.key), layout) for column in columns)
    return Row(run.model, run.title, cells, marks_of(run), n=run.n, errors=run.errors, run=run.folder)


def _measured_cell(score: Score | None, layout: Layout) -> Cell:
    if score is None:
        return Cell()
    if score.mean is None:
        return Cell(n=score.n)
    value = _fixed(score.mean, layout.digits)
    if not layout.intervals or score.low is None or score.high is None:
        return Cell(value, n=score.n)
    bounds = (_fixed(score.low, layout.digits), _fixed(score.high, layout.digits))
    half = _fixed((score.high - score.low) / 2, layout.digits)
    return Cell(value, interval=bounds, n=score.n, half_width=half)


def _fixed(value: float | None, digits: int) -> str:
    """The value with that many decimals; a zero has no sign, since -0.00 is no result."""
    return UNDEFINED if value is None else f"{value:z.{digits}f}"
