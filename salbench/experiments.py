"""What the SalGAN paper's experiments are: which trainings, which of their epochs, printed as which table or figure.

Plain facts of Pan et al. 2017, section 5. The presets are those of the plugin `salgan`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

MODEL = "salgan"
BOOTSTRAP = 15
"""Epochs of content loss alone before adversarial training; also the epoch after which Table 2 was measured."""
LAST_EPOCH = 120
"""The last epoch that the paper tells of, in its text on Figure 3."""

ADVERSARIAL = frozenset({"gan4"})
"""Presets with an adversarial phase after their bootstrap."""

FIGURE_3_METRICS = ("auc_judd", "auc_borji", "nss", "cc", "sim", "information_gain")


@dataclass(frozen=True)
class Experiment:
    """A table or figure. `trainings`: presets with their names in print, in the paper's order.

    `at_bootstrap`: whether its rows are the epoch at which a bootstrap ends, instead of each training's best.
    `epochs`: how many the paper trained for it. `layout`: that of its table, empty for a figure.
    """

    key: str
    trainings: Mapping[str, str]
    epochs: int
    layout: str = ""
    at_bootstrap: bool = False


EXPERIMENTS: Mapping[str, Experiment] = MappingProxyType(
    {
        one.key: one
        for one in (
            Experiment(
                "table2",
                {"bce": "BCE", "bce2": "BCE/2", "bce4": "BCE/4", "bce8": "BCE/8"},
                epochs=BOOTSTRAP,
                layout="2",
                at_bootstrap=True,
            ),
            Experiment(
                "table3",
                {"mse": "MSE", "bce": "BCE", "bce4": "BCE/4", "gan4": "GAN/4"},
                epochs=LAST_EPOCH,
                layout="3",
            ),
            Experiment("figure3", {"gan4": "GAN+BCE", "bce4": "BCE"}, epochs=LAST_EPOCH),
            Experiment("figure6", {"mse": "MSE", "bce4": "BCE", "gan4": "BCE/GAN"}, epochs=LAST_EPOCH),
        )
    }
)
"""By the name that the command line takes."""


@dataclass(frozen=True)
class Budget:
    """Epochs of a training: `total` of them; in an adversarial preset the first `bootstrap` are content loss alone."""

    total: int
    bootstrap: int = BOOTSTRAP

    def options(self, preset: str) -> dict[str, Any]:
        """The options `epochs` and `adversarial_epochs` of a preset's training."""
        if preset not in ADVERSARIAL:
            return {"epochs": self.total, "adversarial_epochs": 0}
        return {"epochs": self.bootstrap, "adversarial_epochs": self.total - self.bootstrap}


def presets_of(experiments: Iterable[Experiment]) -> tuple[str, ...]:
    """Every preset that the experiments need, once each."""
    return tuple(dict.fromkeys(preset for one in experiments for preset in one.trainings))
