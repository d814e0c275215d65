"""How a table is printed, apart from what it says."""

from dataclasses import dataclass

INTERVAL_STYLES = ("brackets", "plus-minus")


@dataclass(frozen=True)
class Style:
    """`transpose`: models as columns. `interval_style`: one of INTERVAL_STYLES. `siunitx`, `document`: of LaTeX, whose
    figures that package aligns, and which is a whole article; `document` of HTML is a whole page.
    """

    transpose: bool = False
    interval_style: str = "brackets"
    siunitx: bool = False
    document: bool = False

    @property
    def plus_minus(self) -> bool:
        """Whether intervals are half widths after a plus-minus sign."""
        return self.interval_style == "plus-minus"
