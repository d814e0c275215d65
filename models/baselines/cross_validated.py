"""Bounds that are densities: centre prior and gold standard with parameters found by cross-validation on the split."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import ClassVar

from salbench.arrays import FloatArray
from salbench.datasets.stimulus import Stimulus
from salbench.densities import (
    CentrePriorFit,
    GoldStandardFit,
    centre_prior,
    fit_centre_prior,
    fit_gold_standard,
    gold_standard,
)
from salbench.errors import UsageError
from salbench.models import Context, Evaluation, ModelCard
from salbench.progress import Progress
from salbench_models.baselines.baseline import Baseline


class CentrePriorCV(Baseline):
    """The density of all other images' fixations, its bandwidth found by leaving images out."""

    card: ClassVar[ModelCard] = ModelCard(
        name="centre-prior-cv",
        title="Centre prior (CV)",
        description="log density of the fixations on all other images; bandwidth cross-validated over images",
        citation="Kümmerer, Wallis and Bethge 2015",
        needs_fixations=True,
        log_density=True,
    )
    _prior: CentrePriorFit | None = None

    def fit(self, stimuli: Sequence[Stimulus], progress: Progress) -> Mapping[str, float]:
        """Bandwidth, weight of the uniform density, and bits per fixation over it. See `fit_centre_prior`."""
        return asdict(fit_centre_prior(stimuli, progress))

    def use(self, parameters: Mapping[str, float]) -> None:
        """Take over what `fit` returned."""
        self._prior = CentrePriorFit(**parameters)

    def predict_stimulus(self, stimulus: Stimulus, context: Context) -> FloatArray:
        """(height, width), natural logarithm of a density."""
        del stimulus
        if self._prior is None:
            raise UsageError(f"{self.card.name} was not fitted on a split")
        return centre_prior(context.others(repeats=True), self._prior)


class GoldStandardCV(Baseline):
    """The density of all other viewers' fixations on the image, judged by each viewer's own: an honest upper bound."""

    card: ClassVar[ModelCard] = ModelCard(
        name="gold-standard-cv",
        title="Gold standard (CV)",
        description="log density of the other viewers' fixations on the image, scored on each viewer's own; bandwidth "
        "and weights cross-validated over viewers",
        citation="Kümmerer, Wallis and Bethge 2015",
        uses_ground_truth=True,
        needs_fixations=True,
        log_density=True,
    )
    _prior: CentrePriorFit | None = None
    _gold: GoldStandardFit | None = None

    def fit(self, stimuli: Sequence[Stimulus], progress: Progress) -> Mapping[str, float]:
        """The parameters of the density and, under names that begin with `prior_`, of the centre prior in it."""
        prior = fit_centre_prior(stimuli, progress)
        gold = fit_gold_standard(stimuli, prior, progress)
        return asdict(gold) | {f"prior_{name}": value for name, value in asdict(prior).items()}

    def use(self, parameters: Mapping[str, float]) -> None:
        """Take over what `fit` returned."""
        prior = {name.removeprefix("prior_"): value for name, value in parameters.items() if name.startswith("prior_")}
        gold = {name: value for name, value in parameters.items() if not name.startswith("prior_")}
        self._prior, self._gold = CentrePriorFit(**prior), GoldStandardFit(**gold)

    def evaluations(self, stimulus: Stimulus, context: Context) -> Iterator[Evaluation]:
        """One evaluation per viewer, a log density each; none where fewer than two viewers have fixations."""
        if self._prior is None or self._gold is None:
            raise UsageError(f"{self.card.name} was not fitted on a split")
        viewers = context.fixations.by_viewer()
        if len(viewers) < 2:
            return
        centre = centre_prior(context.others(repeats=True), self._prior)
        for name, own in viewers.items():
            rest = context.fixations.without(name).positions
            yield Evaluation(gold_standard(rest, centre, self._gold), own)
