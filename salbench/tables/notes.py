"""The notes under a table: where figures come from, what brackets and marks mean, what does not compare."""

from collections.abc import Iterable, Sequence

from salbench.tables.published import PublishedTable
from salbench.tables.runs import Run, short_digest
from salbench.tables.structure import Column, Row, Section

WITHIN_SECTIONS = "Sections differ in data set, split, fixations or protocol: values compare within a section only."
INTERVALS = (
    "Measured values are means over stimuli; beside them, where known, the 95 % confidence interval in square "
    "brackets, or half of its width after ±."
)


def emphasis_notes(told: Sequence[bool]) -> list[str]:
    """What bold and underlined values are. `told`: for each measured section, whether ties could be told."""
    lines = ["Bold: the best of its section in that column, bounds left out; underlined: the next best."]
    if any(told):
        lines.append(
            "Measured values that tie with the best are bold too: 0 lies in the 95 % bootstrap interval of the mean "
            "difference on the same stimuli."
        )
    if not all(told):
        lines.append("Where the scores of single stimuli are not at hand, only equal printed values tie.")
    return lines


def bracket_notes(sections: Sequence[Section], references: Sequence[Row | None], wanted: str) -> list[str]:
    """What brackets mean, and which sections have none; `references` holds each section's reference row."""
    found = list(dict.fromkeys(row.model for row in references if row is not None))
    lines = [
        f"Brackets: worse than {name} in that column of the same section, at the printed digits." for name in found
    ]
    bare = [section.title for section, row in zip(sections, references, strict=True) if row is None]
    return lines + [f"{title}: no brackets, the section has no row of the reference {wanted!r}." for title in bare]


def twice_notes(sections: Sequence[Section], references: Sequence[Row | None]) -> list[str]:
    """Which of several rows was the reference, where a section has more than one of that model."""
    pairs = zip(sections, references, strict=True)
    return [
        f"{section.title}: several rows have the key {row.key}; brackets compare with {row.model}, the first given."
        for section, row in pairs
        if row is not None and sum(other.key == row.key for other in section.rows) > 1
    ]


def mark_notes(sections: Iterable[Section]) -> list[str]:
    """What the marks mean that the rows carry."""
    return unique(mark.note for section in sections for row in section.rows for mark in row.marks)


def published_notes(papers: Iterable[PublishedTable]) -> list[str]:
    """Source and date of published figures, and what their source leaves open."""
    notes: list[str] = []
    for paper in papers:
        notes.append(f"Published figures: {paper.source}, Table {paper.number} ({paper.date}), {paper.url}.")
        notes.extend(paper.notes)
    return unique(notes)


def measured_notes(groups: Sequence[list[Run]], titles: Sequence[str], columns: Sequence[Column]) -> list[str]:
    """For each group of runs its protocol and number of stimuli; for single runs what they lost or left undefined."""
    notes = [_group_note(group, title) for group, title in zip(groups, titles, strict=True)]
    for group, title in zip(groups, titles, strict=True):
        notes.extend(f"{title}: {text}" for run in group for text in _run_notes(run, columns))
    return unique(notes)


def ground_truth_notes(groups: Iterable[list[Run]]) -> list[str]:
    """Which splits have sections that were measured on different ground truth, such as data folders of one name."""
    splits: dict[str, list[Run]] = {}
    for run, *_ in groups:
        splits.setdefault(f"{run.dataset}/{run.split}", []).append(run)
    return [
        f"{split}: sections were measured on different {'' if all(digests) else 'or unrecorded '}{what} "
        f"({', '.join(map(short_digest, digests))}): their values do not compare."
        for split, runs in splits.items()
        for what, digests in (
            ("fixations", unique(run.fixations for run in runs)),
            ("ground-truth maps", unique(run.maps for run in runs)),
        )
        if len(digests) > 1
    ]


def _group_note(group: Sequence[Run], title: str) -> str:
    settings = [detail for detail in group[0].details if detail not in title]
    versions = ", ".join(unique(run.version for run in group))
    return f"{title}: {'; '.join([*settings, _counts(group), f'measured with salbench {versions}'])}."


def _counts(group: Sequence[Run]) -> str:
    if len({run.n for run in group}) == 1:
        return f"n = {group[0].n} stimuli"
    return f"stimuli differ in number, {', '.join(f'{run.title} n = {run.n}' for run in group)}"


def _run_notes(run: Run, columns: Sequence[Column]) -> list[str]:
    partial = [(c.symbol, run.scores[c.key].n) for c in columns if c.key in run.scores and run.scores[c.key].n != run.n]
    notes = [f"{run.title} has fewer values in some columns: {_listed(partial)} instead of {run.n}."] if partial else []
    if run.errors:
        notes.append(f"{run.title} lost stimuli to errors, which its means leave out: {run.errors}.")
    return notes


def _listed(partial: Sequence[tuple[str, int]]) -> str:
    return ", ".join(f"{symbol} n = {n}" for symbol, n in partial)


def unique(texts: Iterable[str]) -> list[str]:
    """The texts in order, each once."""
    return list(dict.fromkeys(texts))
