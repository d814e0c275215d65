"""Baselines and bounds: chance, centre, centre prior, gold standard, human observers. Only NumPy is needed.

All are made with the protocol's blur, so their figures mean what the ground truth means.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

import numpy as np

from salbench.arrays import FloatArray, RGBImage
from salbench.datasets.stimulus import Fixations, Stimulus
from salbench.errors import UsageError
from salbench.models import Context, Evaluation, ModelCard
from salbench.progress import Progress
from salbench_models.baselines.baseline import Baseline
from salbench_models.baselines.cross_validated import CentrePriorCV, GoldStandardCV

__all__ = [
    "Centre",
    "CentrePrior",
    "CentrePriorCV",
    "Chance",
    "GoldStandard",
    "GoldStandardCV",
    "Humans",
    "Shuffled",
    "ViewerGroups",
]


class Chance(Baseline):
    """An independent uniform random number at every pixel."""

    card: ClassVar[ModelCard] = ModelCard(
        name="chance", title="Chance", description="an independent uniform random number per pixel"
    )

    def predict_stimulus(self, stimulus: Stimulus, context: Context) -> FloatArray:
        """(height, width) in [0, 1), the same for the same run seed and stimulus."""
        return context.rng("chance").random(stimulus.size)


class Centre(Baseline):
    """A Gaussian in the middle of the frame, stretched to the frame's aspect ratio."""

    card: ClassVar[ModelCard] = ModelCard(
        name="centre", title="Centre", description="a Gaussian at the centre, sigma a quarter of each side"
    )
    relative_sigma = 0.25

    def predict(self, image: RGBImage) -> FloatArray:
        """(H, W) in (0, 1], 1 at the centre."""
        rows, columns = (self._profile(length) for length in image.shape[:2])
        return np.outer(rows, columns)

    def _profile(self, length: int) -> FloatArray:
        offsets = (np.arange(length) + 0.5) / length - 0.5
        profile: FloatArray = np.exp(-0.5 * (offsets / self.relative_sigma) ** 2)
        return profile


class CentrePrior(Baseline):
    """The density of all other images' fixations: what is known of a data set without looking at the image."""

    card: ClassVar[ModelCard] = ModelCard(
        name="centre-prior",
        title="Centre prior",
        description="blurred density of the fixations on all other images of the split",
        needs_fixations=True,
    )

    def predict_stimulus(self, stimulus: Stimulus, context: Context) -> FloatArray:
        """(height, width), at least 0."""
        del stimulus
        return context.blur(context.others())


class Shuffled(Baseline):
    """The ground truth of another image, drawn at random: what is right about a map is right about it too by chance."""

    card: ClassVar[ModelCard] = ModelCard(
        name="shuffled",
        title="Shuffled",
        description="blurred fixations of one other image of the split, drawn at random: a lower bound",
        needs_fixations=True,
    )

    def predict_stimulus(self, stimulus: Stimulus, context: Context) -> FloatArray:
        """(height, width), at least 0; the same for the same run seed and stimulus."""
        del stimulus
        return context.blur(context.some_others(1))


class GoldStandard(Baseline):
    """The density of all viewers' fixations on the image itself: an optimistic upper bound."""

    card: ClassVar[ModelCard] = ModelCard(
        name="gold-standard",
        title="Gold standard",
        description="blurred fixations of all viewers of the image itself: an optimistic upper bound",
        uses_ground_truth=True,
        needs_fixations=True,
    )

    def predict_stimulus(self, stimulus: Stimulus, context: Context) -> FloatArray:
        """(height, width), at least 0; all zero without fixations."""
        del stimulus
        return context.density(context.fixations)


class Humans(Baseline):
    """Inter-observer consistency: how well the other viewers predict one viewer, averaged over the viewers."""

    card: ClassVar[ModelCard] = ModelCard(
        name="humans",
        title="Humans",
        description="one versus rest: the others' blurred fixations, scored on each viewer's own; mean over viewers",
        uses_ground_truth=True,
        needs_fixations=True,
    )

    def evaluations(self, stimulus: Stimulus, context: Context) -> Iterator[Evaluation]:
        """One evaluation per viewer; none where fewer than two viewers have fixations."""
        viewers = context.fixations.by_viewer()
        if len(viewers) < 2:
            return
        for name, own in viewers.items():
            yield Evaluation(context.density(context.fixations.without(name)), own)


class ViewerGroups(Baseline):
    """How well n viewers predict n others, for the limit of many viewers (Judd et al. 2012)."""

    card: ClassVar[ModelCard] = ModelCard(
        name="viewer-groups",
        title="Groups of viewers",
        description="blurred fixations of some viewers, scored on those of as many others; mean over draws",
        citation="Judd, Durand and Torralba 2012",
        uses_ground_truth=True,
        needs_fixations=True,
    )
    _viewers, _draws = 1, 1

    def fit(self, stimuli: Sequence[Stimulus], progress: Progress) -> Mapping[str, float]:
        """Nothing is fitted: one viewer predicts another, three times."""
        del stimuli, progress
        return {"viewers": 1, "draws": 3}

    def use(self, parameters: Mapping[str, float]) -> None:
        """`viewers` in each of the two groups, and how many `draws` of them."""
        self._viewers, self._draws = int(parameters["viewers"]), int(parameters["draws"])
        if self._viewers < 1 or self._draws < 1:
            raise UsageError(f"viewers and draws are {self._viewers} and {self._draws}; wanted: at least 1 each")

    def evaluations(self, stimulus: Stimulus, context: Context) -> Iterator[Evaluation]:
        """One evaluation a draw; none where the image has too few viewers for two groups."""
        viewers = list(context.fixations.by_viewer().values())
        if len(viewers) < 2 * self._viewers:
            return
        rng = context.rng("viewer groups")
        for _ in range(self._draws):
            drawn = [viewers[place] for place in rng.permutation(len(viewers))[: 2 * self._viewers]]
            predicting, judging = (Fixations.joined(part) for part in (drawn[: self._viewers], drawn[self._viewers :]))
            yield Evaluation(context.density(predicting), judging)
