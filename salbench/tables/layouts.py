"""The layouts a table can have: the paper's Tables 2, 3, 4, and the plain one of everything measured."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

DEFAULT_REFERENCE = "salgan"
"""The row that brackets compare with where the user names none: the paper's."""

_ABLATION = ("auc_shuffled", "auc_borji", "nss", "cc", "information_gain")
_LEADERBOARD = ("auc_judd", "sim", "emd", "auc_borji", "auc_shuffled", "cc", "nss", "kl_divergence")


@dataclass(frozen=True)
class Layout:
    """What a layout prints.

    `metrics`: its columns, or None for all that the rows have, in the registry's order.
    `digits`: decimals of measured values, as the paper has them.
    `published`: names of the published tables that belong to it. `symbols`: of metrics, where the paper prints others
    than the registry.
    """

    key: str
    caption: str
    """Caption of a table of measured runs alone."""
    metrics: tuple[str, ...] | None
    digits: int
    published: tuple[str, ...]
    brackets: bool = False
    intervals: bool = False
    as_printed: bool = False
    symbols: Mapping[str, str] = field(default_factory=dict)


def _paper_layout(key: str, metrics: tuple[str, ...], digits: int, *, brackets: bool = False) -> Layout:
    caption = f"Measured results in the columns of Table {key} of Pan et al. (SalGAN)"
    published = (f"salgan-2017-table{key}",)
    return Layout(key, caption, metrics, digits, published, brackets=brackets, as_printed=True, symbols={"sim": "Sim"})


LAYOUTS: Mapping[str, Layout] = MappingProxyType(
    {
        "plain": Layout(
            "plain",
            "Measured results",
            metrics=None,
            digits=3,
            published=("salgan-2017-table2", "salgan-2017-table3", "salgan-2017-table4"),
            intervals=True,
        ),
        "2": _paper_layout("2", _ABLATION, 3),
        "3": _paper_layout("3", _ABLATION, 3),
        "4": _paper_layout("4", _LEADERBOARD, 2, brackets=True),
    }
)
"""Every layout by the name that the command line takes."""
