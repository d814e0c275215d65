"""From run folders and published figures to a `Table`."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from salbench.errors import UsageError
from salbench.names import unknown_name
from salbench.paths import PathLike
from salbench.tables import notes
from salbench.tables.brackets import bracket, find_reference
from salbench.tables.emphasis import emphasise
from salbench.tables.layouts import DEFAULT_REFERENCE, LAYOUTS, Layout
from salbench.tables.ordering import sorted_by
from salbench.tables.published import PublishedTable, published_table
from salbench.tables.runs import Run, read_runs
from salbench.tables.sections import (
    columns_of,
    group_runs,
    measured_sections,
    published_sections,
    section_titles,
    with_baselines,
)
from salbench.tables.structure import Row, Section, Table

MAX_DIGITS = 10


def make_table(
    runs: Sequence[PathLike],
    *,
    layout: str = "plain",
    published: bool = False,
    reference: str = DEFAULT_REFERENCE,
    intervals: bool | None = None,
    digits: int | None = None,
    sort: str | None = None,
    emphasis: bool = False,
) -> Table:
    """The table of these run folders in a layout of `LAYOUTS`.

    `published` adds the paper's rows; in the layout `plain`, those of all its tables. `reference`: key or name of the
    row that layout 4's brackets compare with, in each section; a section without it has no brackets, and a note says
    so. `intervals`: whether measured values have theirs beside them; `digits`: decimals of measured values; by default
    both are as the layout says. `sort`: a column's metric key or symbol, by which the rows of each section are put,
    the best first. `emphasis`: mark the best values of each section, those that tie with them, and the next best.
    UsageError for an unknown layout, for nothing to print, for digits out of 0 to 10, for a column that there is not,
    and for a reference other than the default that no section has; RunError for a folder that is no complete run.
    """
    chosen = _find_layout(layout, intervals, digits)
    folders = [Path(run) for run in runs]
    _check_request(chosen, folders, published, reference)
    papers = [published_table(name) for name in chosen.published] if published else []
    scored = read_runs(folders)
    columns = columns_of(chosen, papers, scored)
    groups = group_runs(with_baselines(scored, columns))
    sections = [s for paper in papers for s in published_sections(paper, columns, named=chosen.metrics is None)]
    measured = measured_sections(groups, columns, chosen)
    said: list[str] = []
    if emphasis:
        sections = [emphasise(section, columns, None)[0] for section in sections]
        marked = [emphasise(section, columns, group) for section, group in zip(measured, groups, strict=True)]
        measured = [section for section, _ in marked]
        said = notes.emphasis_notes([told for _, told in marked])
    table = Table(
        layout=chosen.key,
        caption=_caption(chosen, papers, scored),
        columns=columns,
        sections=(*sections, *measured),
        counts=chosen.intervals and bool(scored),
        intervals=chosen.intervals and bool(scored),
        as_printed=chosen.as_printed,
        notes=tuple(said),
    )
    table = _with_brackets(table, chosen, papers, reference)
    if sort is not None:
        table = sorted_by(table, sort)
    return _with_notes(table, papers, groups)


def _find_layout(name: str, intervals: bool | None, digits: int | None) -> Layout:
    try:
        layout = LAYOUTS[name]
    except KeyError:
        raise UsageError(unknown_name("layout", name, list(LAYOUTS))) from None
    if digits is not None and not 0 <= digits <= MAX_DIGITS:
        raise UsageError(f"digits is {digits}; wanted: 0 to {MAX_DIGITS}")
    return replace(
        layout,
        intervals=layout.intervals if intervals is None else intervals,
        digits=layout.digits if digits is None else digits,
    )


def _check_request(layout: Layout, runs: Sequence[Path], published: bool, reference: str) -> None:
    if not runs and not published:
        raise UsageError("nothing to print: name run folders, or ask for the published figures, or both")
    if reference != DEFAULT_REFERENCE and not layout.brackets:
        raise UsageError(f"layout {layout.key} has no brackets: a reference row belongs to layout 4 only")


def _caption(layout: Layout, papers: Sequence[PublishedTable], measured: Sequence[Run]) -> str:
    if not papers:
        return layout.caption
    caption = f"{papers[0].title} (Table {papers[0].number} of Pan et al.)" if len(papers) == 1 else "Published results"
    return f"{caption}, with measured results" if measured else caption


def _with_brackets(table: Table, layout: Layout, papers: Sequence[PublishedTable], wanted: str) -> Table:
    """The table with brackets and what must be said of them, where its layout has brackets."""
    if not layout.brackets:
        return table
    references = [find_reference(section, wanted) for section in table.sections]
    if wanted != DEFAULT_REFERENCE and not any(references):
        raise UsageError(unknown_name("reference", wanted, _row_keys(table.sections)))
    said = notes.bracket_notes(table.sections, references, wanted) + notes.twice_notes(table.sections, references)
    said += [note for paper in papers for note in paper.bracket_notes if _is_reference(paper.reference, references)]
    sections = tuple(
        section if row is None else bracket(section, table.columns, row)
        for section, row in zip(table.sections, references, strict=True)
    )
    return replace(table, sections=sections, notes=(*table.notes, *said))


def _row_keys(sections: Sequence[Section]) -> list[str]:
    return notes.unique(row.key for section in sections for row in section.rows)


def _is_reference(key: str, references: Sequence[Row | None]) -> bool:
    return any(row is not None and row.key == key for row in references)


def _with_notes(table: Table, papers: Sequence[PublishedTable], groups: Sequence[list[Run]]) -> Table:
    general = [notes.INTERVALS] if table.intervals else []
    general += [notes.WITHIN_SECTIONS] if groups and len(table.sections) > 1 else []
    said = [
        *table.notes,
        *notes.mark_notes(table.sections),
        *notes.published_notes(papers),
        *general,
        *notes.ground_truth_notes(groups),
        *notes.measured_notes(groups, section_titles(groups), table.columns),
    ]
    return replace(table, notes=tuple(notes.unique(said)))
