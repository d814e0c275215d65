"""pysaliency's models as salbench's: pass the result to `score` or `predict`, or return it from a plugin's factory."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from salbench.arrays import RGBImage, SaliencyMap
from salbench.errors import UsageError
from salbench.models import ModelCard


@dataclass(frozen=True)
class WrappedModel:
    """A model that asks another one, of pysaliency's interface, for its maps."""

    card: ModelCard
    given: Any

    def predict(self, image: RGBImage) -> SaliencyMap:
        """The other's map of an image (H, W, 3) uint8; natural logarithms of densities where the card says so."""
        ask = self.given.log_density if self.card.log_density else self.given.saliency_map
        return np.asarray(ask(image), dtype=np.float64)


def from_pysaliency(model: Any, name: str, *, title: str | None = None, citation: str = "") -> WrappedModel:
    """A pysaliency model as one of salbench's.

    One with `log_density` (pysaliency's `Model`) gives log densities, one with `saliency_map` alone (its
    `SaliencyMapModel`) mere maps. pysaliency itself is not imported. The model is scored in this process, or, where it
    pickles, in any number of them.
    Raises UsageError for an object with neither.
    """
    log_density = callable(getattr(model, "log_density", None))
    if not (log_density or callable(getattr(model, "saliency_map", None))):
        raise UsageError(f"{type(model).__name__} has neither log_density nor saliency_map; wanted: a pysaliency model")
    return WrappedModel(ModelCard(name, title or name, citation=citation, log_density=log_density), model)
