"""What a table is: the one structure that every renderer prints. All text is plain and unescaped."""

from dataclasses import dataclass
from pathlib import Path

UNDEFINED = "-"
"""What a cell prints that has no value: undefined, not a number, or not reported."""


@dataclass(frozen=True)
class Column:
    """A metric's column. `higher_is_better` is None, and `arrow` empty, for a metric that salbench does not know."""

    key: str
    symbol: str
    arrow: str = ""
    higher_is_better: bool | None = None

    @property
    def heading(self) -> str:
        """Symbol and direction, as printed."""
        return f"{self.symbol} {self.arrow}".strip()


@dataclass(frozen=True)
class Cell:
    """A value as it is printed, with its digits; `bracketed` means worse than the reference row's.

    `half_width`: half the interval's, empty where there is none. `emphasis`: `best` or `second` of its column in the
    section, or empty.
    """

    value: str = UNDEFINED
    bracketed: bool = False
    interval: tuple[str, str] | None = None
    n: int | None = None
    half_width: str = ""
    emphasis: str = ""

    @property
    def text(self) -> str:
        """The value without its interval, in brackets where it is worse than the reference's."""
        return f"({self.value})" if self.bracketed else self.value

    def interval_text(self, *, plus_minus: bool = False) -> str:
        """The confidence interval in square brackets, or half of it after a plus-minus sign; or nothing."""
        if not self.interval:
            return ""
        return f"± {self.half_width}" if plus_minus else f"[{', '.join(self.interval)}]"


@dataclass(frozen=True)
class Mark:
    """Something a reader must know of a row: a symbol after the name, a word for machines, a note under the table."""

    key: str
    symbol: str
    note: str


@dataclass(frozen=True)
class Row:
    """A model's figures, one cell a column. `n` and `errors` count stimuli and are known of measured rows only, as is
    `run`, the folder or entry that they come from, which no table prints.
    """

    key: str
    model: str
    cells: tuple[Cell, ...]
    marks: tuple[Mark, ...] = ()
    n: int | None = None
    errors: int | None = None
    run: Path | None = None

    @property
    def label(self) -> str:
        """The model's name with the symbols of its marks."""
        return " ".join((self.model, *(mark.symbol for mark in self.marks)))


@dataclass(frozen=True)
class Section:
    """Rows that compare: one data set, split, ground truth and protocol, and either published or measured."""

    title: str
    source: str
    """`published` or `measured`."""
    dataset: str
    split: str
    protocol: str
    """The protocol's key; empty where a publication names none."""
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class Table:
    """A whole table. `counts`: print each row's number of stimuli; `intervals`: print confidence intervals.

    `as_printed`: published sections are headed as in the paper.
    """

    layout: str
    caption: str
    columns: tuple[Column, ...]
    sections: tuple[Section, ...]
    notes: tuple[str, ...] = ()
    counts: bool = False
    intervals: bool = False
    as_printed: bool = False
