"""Tables as a LaTeX `table` environment with booktabs, and siunitx where asked for; or as a whole document."""

from collections.abc import Sequence

from salbench.tables.emphasis import BEST, SECOND
from salbench.tables.grids import Grid, Item, grids_of
from salbench.tables.latex_text import Tex, to_tex
from salbench.tables.structure import UNDEFINED, Cell, Table
from salbench.tables.style import Style
from salbench.tables.templating import latex_template

WIDE = 8
"""Columns with intervals that a page holds upright; more are printed across."""


def to_latex(table: Table, style: Style) -> str:
    """The table in LaTeX, caption and notes included."""
    grids = grids_of(table, transpose=style.transpose)
    width = max((grid.width for grid in grids), default=1)
    return latex_template("table.tex.j2").render(
        table=table,
        grids=grids,
        alignment=_alignment(grids, width, style),
        width=width,
        wide=width > WIDE and _has_intervals(grids),
        headings_once=not (table.as_printed or style.transpose),
        style=style,
        item=lambda item: _item(item, style),
        headings=lambda grid: _headings(grid, style),
    )


def _has_intervals(grids: Sequence[Grid]) -> bool:
    items = (item for grid in grids for line in grid.lines for item in line.items)
    return any(isinstance(item, Cell) and item.interval for item in items)


def _headings(grid: Grid, style: Style) -> Tex:
    """A line of headings; in braces in siunitx's columns, which take all else for numbers."""
    figures = (f"{{{to_tex(text)}}}" if style.siunitx else to_tex(text) for text in grid.headings)
    return Tex(" & ".join((to_tex(grid.corner), *figures)))


def _alignment(grids: Sequence[Grid], width: int, style: Style) -> Tex:
    """The column specification: names to the left, figures to the right or at their decimal point."""
    if not style.siunitx:
        return Tex("l" + "r" * (width - 1))
    formats = (_number_format(_column(grids, place), style) for place in range(width - 1))
    return Tex("l" + "".join(f"S[{text}]" for text in formats))


def _column(grids: Sequence[Grid], place: int) -> list[Item]:
    return [line.items[place] for grid in grids for line in grid.lines if place < len(line.items)]


def _number_format(items: Sequence[Item], style: Style) -> str:
    """What siunitx must know of a column: digits before and after the point, sign, digits of the uncertainty."""
    values = [item if isinstance(item, str) else item.value for item in items]
    numbers = [value for value in values if value not in ("", UNDEFINED)]
    whole = max((len(value.lstrip("-").partition(".")[0]) for value in numbers), default=1)
    decimals = max((len(value.partition(".")[2]) for value in numbers), default=0)
    sign = "-" if any(value.startswith("-") for value in numbers) else ""
    text = f"table-format={sign}{whole}" + (f".{decimals}" if decimals else "")
    halves = [item.half_width for item in items if isinstance(item, Cell) and item.half_width]
    if style.plus_minus and halves:
        text += f", table-space-text-post={{{_plus_minus(max(halves, key=len))}}}"
    return text


def _plus_minus(half_width: str) -> str:
    return rf"\,{{\scriptsize $\pm$\,{half_width}}}"


def _item(item: Item, style: Style) -> Tex:
    """A figure as it stands in its column; negative numbers with a true minus sign."""
    if isinstance(item, str):
        return Tex(item)
    return _aligned(item, style) if style.siunitx else _plain(item, style)


def _plain(cell: Cell, style: Style) -> Tex:
    """The value; its interval in small print below, or half of it after a plus-minus sign."""
    value = _emphasised(_signed(cell.text), cell)
    if not cell.interval:
        return value
    if style.plus_minus:
        return Tex(f"{value}{_plus_minus(cell.half_width)}")
    return Tex(rf"\shortstack[r]{{\rule{{0pt}}{{2.3ex}}{value}\\{{\tiny {_signed(cell.interval_text())}}}}}")


def _emphasised(text: Tex, cell: Cell) -> Tex:
    if cell.emphasis == BEST:
        return Tex(rf"\textbf{{{text}}}")
    return Tex(rf"\underline{{{text}}}") if cell.emphasis == SECOND else text


def _aligned(cell: Cell, style: Style) -> Tex:
    """The value for siunitx; in braces, which it prints as they are, whatever is no mere number."""
    stacked = cell.interval and not style.plus_minus
    if cell.value == UNDEFINED or cell.bracketed or cell.emphasis == SECOND or stacked:
        return Tex(f"{{{_plain(cell, style)}}}")
    weight = r"\bfseries " if cell.emphasis == BEST else ""
    uncertainty = f" {{{_plus_minus(cell.half_width)}}}" if cell.half_width and style.plus_minus else ""
    return Tex(f"{weight}{cell.value}{uncertainty}")


def _signed(text: str) -> Tex:
    return to_tex(text if text == UNDEFINED else text.replace("-", "\N{MINUS SIGN}"))
