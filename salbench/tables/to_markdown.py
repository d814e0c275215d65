"""Tables as GitHub-flavoured Markdown: one aligned pipe table a section, the notes as a list."""

import re
from collections.abc import Iterable, Sequence

from salbench.tables.emphasis import BEST, SECOND
from salbench.tables.grids import Grid, Item, grids_of
from salbench.tables.structure import Table
from salbench.tables.style import Style

# Only what Markdown gives a meaning inside a line: names such as ML-NET stay readable.
_SPECIAL = re.compile(r"[\\`*_\[\]<>|~$&]")
_EMPHASIS = {BEST: "**{}**", SECOND: "<u>{}</u>", "": "{}"}


def to_markdown(table: Table, style: Style) -> str:
    """The table in Markdown."""
    blocks = [escape_markdown(table.caption)]
    for grid in grids_of(table, transpose=style.transpose):
        blocks += [f"**{escape_markdown(grid.title)}**"] if grid.title else []
        blocks.append(_pipe_table(_lines(grid, style)))
    if table.notes:
        blocks.append("\n".join(f"- {escape_markdown(note)}" for note in table.notes))
    return "\n\n".join(blocks) + "\n"


def escape_markdown(text: str) -> str:
    """Plain text, such that Markdown prints it as it is."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def _lines(grid: Grid, style: Style) -> list[list[str]]:
    head = [escape_markdown(text) for text in (grid.corner, *grid.headings)]
    return [head, *([escape_markdown(line.heading), *(_text(i, style) for i in line.items)] for line in grid.lines)]


def _text(item: Item, style: Style) -> str:
    if isinstance(item, str):
        return item
    value = _EMPHASIS[item.emphasis].format(item.text)
    return f"{value} {item.interval_text(plus_minus=style.plus_minus)}".strip()


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
