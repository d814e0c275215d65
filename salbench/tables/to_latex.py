"""Tables as a complete LaTeX `table` environment; the document needs the package booktabs and no other."""

from salbench.tables.latex_text import Tex, to_tex
from salbench.tables.structure import UNDEFINED, Cell, Table
from salbench.tables.templating import latex_template


def to_latex(table: Table) -> str:
    """The table in LaTeX, caption and notes included."""
    figures = len(table.columns) + table.counts
    return latex_template("table.tex.j2").render(
        table=table, cell=_cell, alignment=Tex("l" + "r" * figures), width=figures + 1
    )


def _cell(cell: Cell) -> Tex:
    """The value, its interval in small print below; negative numbers with a true minus sign."""
    if not cell.interval:
        return _signed(cell.text)
    return Tex(rf"\shortstack[r]{{{_signed(cell.text)}\\{{\tiny {_signed(cell.interval_text)}}}}}")


def _signed(text: str) -> Tex:
    return to_tex(text if text == UNDEFINED else text.replace("-", "\N{MINUS SIGN}"))
