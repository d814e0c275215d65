"""Tables as GitHub-flavoured Markdown: one aligned pipe table a section, the notes as a list."""

import re
from collections.abc import Iterable, Sequence

from salbench.tables.structure import Cell, Row, Section, Table

# Only what Markdown gives a meaning inside a line: names such as ML-NET stay readable.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~$&]")


def to_markdown(table: Table) -> str:
    """The table in Markdown."""
    blocks = [escape_markdown(table.caption)]
    for section in table.sections:
        blocks += [f"**{escape_markdown(section.title)}**", _pipe_table(_lines(section, table))]
    if table.notes:
        blocks.append("\n".join(f"- {escape_markdown(note)}" for note in table.notes))
    return "\n\n".join(blocks) + "\n"


def escape_markdown(text: str) -> str:
    """Plain text, such that Markdown prints it as it is."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _lines(section: Section, table: Table) -> list[list[str]]:
    headings = [
        "Model",
        *(escape_markdown(column.heading) for column in table.columns),
        *(["n"] if table.counts else []),
    ]
    return [headings, *(_line(row, counts=table.counts) for row in section.rows)]


def _line(row: Row, *, counts: bool) -> list[str]:
    count = "" if row.n is None else str(row.n)
    return [escape_markdown(row.label), *(_text(cell) for cell in row.cells), *([count] if counts else [])]


def _text(cell: Cell) -> str:
    return f"{cell.text} {cell.interval_text}".strip()


def _pipe_table(lines: Sequence[Sequence[str]]) -> str:
    """Names to the left, figures to the right; the first line is the header."""
    widths = [max(3, *map(len, column)) for column in zip(*lines, strict=True)]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(_pipe_line(line, widths) for line in (lines[0], rule, *lines[1:]))


def _pipe_line(texts: Iterable[str], widths: Sequence[int]) -> str:
    padded = [
        text.rjust(width) if i else text.ljust(width) for i, (text, width) in enumerate(zip(texts, widths, strict=True))
    ]
    return f"| {' | '.join(padded)} |"
