"""The pictures of the metrics' pages: for each metric, what moves it. `python docs/metrics/pictures.py` makes them all.

Every curve is computed by salbench: the scores of maps that change step by step, some of which are shown above it. A
picture carries its curve as text (PNG keyword `curve`), which the tests compare with the metric. Nothing is read from a
file, and every random number has a fixed seed.
"""

import io
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from scipy.ndimage import gaussian_filter
from scipy.stats import rankdata

from salbench.arrays import BoolArray, FloatArray
from salbench.datasets.stimulus import Fixations
from salbench.datasets.synthetic import Scene
from salbench.densities import kernel_density
from salbench.maps import mit_density, normalise_range
from salbench.metrics import METRICS, auc_judd, cc, kl_divergence, log_likelihood, nss
from salbench.protocols import tuebingen

HERE = Path(__file__).parent
INK, MAIN, SECOND, THIRD, FIXATION = "#222222", "#1f4e79", "#c0562f", "#6b8e23", "#d62728"
WIDTH, HEIGHT, DPI = 8.0, 4.9, 150
COLOURS = 64
"""In a picture's palette, which keeps the files small."""

Arguments = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """A curve beside the metric's own, from the same x. `right`: its values belong to the axis on the right."""

    label: str
    value: Callable[[float], float]
    right: bool = False


@dataclass(frozen=True)
class Study:
    """What a picture shows: a metric's values while its arguments change with x.

    `arguments`: from x to those of the metric's public function. `seeds`: how many seeds its values are a mean over, 0
    for a metric that draws nothing. `shown`: five places in `xs` whose maps are thumbnails.
    `thumbnail`: the argument that is shown there; `truth`: the one shown first, with its caption. `name`: of x, in a
    thumbnail's caption. `levels`: horizontal lines, by label. `best`: an x that a vertical line marks, by label.
    """

    key: str
    title: str
    label: str
    xlabel: str
    xs: Sequence[float]
    arguments: Callable[[float], Arguments]
    shown: Sequence[int]
    name: Callable[[float], str]
    truth: tuple[str, str]
    seeds: int = 0
    thumbnail: str = "saliency_map"
    lines: Sequence[Line] = ()
    levels: Mapping[str, float] | None = None
    best: Mapping[str, float] | None = None
    ylabel: str = ""
    right_label: str = ""
    ylim: tuple[float, float] | None = None
    right_ylim: tuple[float, float] | None = None
    ticks: Mapping[float, str] | None = None
    levels_right: bool = False
    log: bool = False
    reverse: bool = False
    legend: str | tuple[float, float] = "best"

    def value(self, x: float) -> float:
        """The metric at one x, by its public function."""
        metric, arguments = METRICS[self.key].function, self.arguments(x)
        if not self.seeds:
            return metric(**arguments)
        return float(np.mean([metric(**arguments, rng=seed) for seed in range(self.seeds)]))

    def curve(self) -> list[float]:
        """The metric at every x."""
        return [self.value(x) for x in self.xs]


# The scene that most pictures use: one of the embedded data set, whose fixation density is known.
SCENE = Scene(0, "test", 12)


@cache
def _fixations(*, first_half: bool | None = None) -> BoolArray:
    """(H, W): fixated pixels of all viewers of the scene, or of the first or the second five of them."""
    fixations = SCENE.fixations()
    if first_half is not None:
        chosen = np.isin(fixations.viewer.astype(str), [str(n) for n in (range(1, 6) if first_half else range(6, 11))])
        fixations = Fixations.of_one_viewer(fixations.x[chosen], fixations.y[chosen])
    return fixations.as_map(SCENE.size)


def _gaussian(size: tuple[int, int], row: float, column: float, sigmas: tuple[float, float]) -> FloatArray:
    rows, columns = np.arange(size[0])[:, None], np.arange(size[1])[None, :]
    bump: FloatArray = np.exp(-0.5 * (((rows - row) / sigmas[0]) ** 2 + ((columns - column) / sigmas[1]) ** 2))
    return bump


def _to_one(values: FloatArray) -> FloatArray:
    return values / values.sum()


# AUC-J


def _in_levels(levels: float) -> FloatArray:
    return np.round(normalise_range(SCENE.density()) * (levels - 1)) / (levels - 1)


AUC_JUDD = Study(
    key="auc_judd",
    title="Fewer grey levels, more ties: AUC-J depends on how they are broken",
    label="AUC-J, jitter on (the default)",
    xlabel="grey levels of the saliency map",
    xs=(256, 128, 64, 32, 16, 8, 4, 3, 2),
    arguments=lambda levels: {"saliency_map": _in_levels(levels), "fixation_map": _fixations()},
    seeds=20,
    shown=(0, 3, 5, 6, 8),
    name=lambda levels: f"{levels:g} levels",
    truth=("fixation_map", "fixations"),
    lines=(
        Line(
            "exact ROC curve, ties half (tuebingen)", lambda x: tuebingen.auc(_in_levels(x), np.argwhere(_fixations()))
        ),
        Line("AUC-J, jitter off", lambda x: auc_judd(_in_levels(x), _fixations(), jitter=False)),
    ),
    ylabel="area under the curve",
    ylim=(0.2, 1.0),
    ticks={256: "256", 128: "128", 64: "64", 32: "32", 16: "16", 8: "8", 4: "4", 3: "3", 2: "2"},
    log=True,
    reverse=True,
)


# AUC-B


def _to_power(power: float) -> FloatArray:
    return normalise_range(SCENE.density()) ** power


def _fraction(power: float) -> str:
    return f"{power:g}" if power >= 1 else f"1/{1 / power:g}"


AUC_BORJI = Study(
    key="auc_borji",
    title="Same order of pixels, other AUC-B: its thresholds are 0.1 apart",
    label="AUC-B",
    xlabel="power to which the map is raised",
    xs=tuple(2.0**k for k in (-4, -3, -2, -1, 0, 1, 2, 3, 4)),
    arguments=lambda power: {"saliency_map": _to_power(power), "fixation_map": _fixations()},
    seeds=5,
    shown=(0, 2, 4, 6, 8),
    name=lambda power: f"power {_fraction(power)}",
    truth=("fixation_map", "fixations"),
    lines=(
        Line(
            "exact area of the same maps (tuebingen)", lambda x: tuebingen.auc(_to_power(x), np.argwhere(_fixations()))
        ),
    ),
    ylabel="area under the curve",
    ylim=(0.5, 1.0),
    ticks={2.0**k: _fraction(2.0**k) for k in range(-4, 5)},
    log=True,
)


# sAUC: a frame of its own, in which gaze keeps to the centre

FRAME = (96, 128)


@cache
def _biased() -> tuple[FloatArray, FloatArray, BoolArray, BoolArray]:
    """Log density of an image, log density of where gaze falls in any image, fixations, and those of other images."""
    centre = _to_one(_gaussian(FRAME, 47.5, 63.5, (19, 26)) + 0.02)
    evidence = sum(_gaussian(FRAME, *place, (8, 8)) for place in ((28, 40), (60, 95), (75, 50))) + 0.08
    density = _to_one(centre * evidence)
    rng = np.random.default_rng(7)
    drawn = [rng.choice(density.size, size=size, p=p.ravel()) for p, size in ((density, 400), (centre, 1500))]
    own, others = (np.isin(np.arange(density.size), pixels).reshape(FRAME) for pixels in drawn)
    return np.log(density), np.log(centre), own, others


def _with_bias(power: float) -> FloatArray:
    density, centre, _, _ = _biased()
    return rankdata(density + power * centre).reshape(FRAME) / density.size


AUC_SHUFFLED = Study(
    key="auc_shuffled",
    title="sAUC wants the centre bias out of the map, AUC-J wants it in",
    label="sAUC",
    xlabel="extra powers of the centre prior in the map",
    xs=tuple(np.arange(-2, 2.01, 0.5).tolist()),
    arguments=lambda power: {
        "saliency_map": _with_bias(power),
        "fixation_map": _biased()[2],
        "other_map": _biased()[3],
    },
    seeds=5,
    shown=(0, 2, 4, 6, 8),
    name=lambda power: f"power {power:+g}" if power else "the density",
    truth=("other_map", "other map"),
    lines=(Line("AUC-J", lambda x: auc_judd(_with_bias(x), _biased()[2], jitter=False)),),
    best={"density over\ncentre prior": -1, "the density\nitself": 0},
    ylabel="area under the curve",
    ylim=(0.4, 0.9),
    ticks={x: f"{x:+d}" if x else "0" for x in range(-2, 3)},
)


# NSS


def _estimate(sigma: float) -> FloatArray:
    return mit_density(_fixations(first_half=True), sigma=sigma)


NSS = Study(
    key="nss",
    title="NSS has a best blur, unless the map has seen the fixations",
    label="NSS, judged by five other viewers",
    xlabel="blur of five viewers' fixations, sigma in pixels",
    xs=(1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32),
    arguments=lambda sigma: {"saliency_map": _estimate(sigma), "fixation_map": _fixations(first_half=False)},
    shown=(0, 2, 4, 6, 9),
    name=lambda sigma: f"sigma {sigma:g}",
    truth=("fixation_map", "other viewers"),
    lines=(Line("judged by the same five viewers", lambda x: nss(_estimate(x), _fixations(first_half=True))),),
    ylabel="NSS (standard deviations)",
    ticks={s: f"{s:g}" for s in (1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)},
    log=True,
)


# IG under mit300


def _without_low(share: float) -> FloatArray:
    density = SCENE.density()
    return np.where(density < np.quantile(density, share), 0.0, density)


def _centre_map() -> FloatArray:
    height, width = SCENE.size
    return _gaussian(SCENE.size, (height - 1) / 2, (width - 1) / 2, (height / 4, width / 4))


INFORMATION_GAIN = Study(
    key="information_gain",
    title="Zeros that no eye can see cost bits of IG; NSS hardly notices",
    label="IG (mit300)",
    xlabel="share of the map's pixels, the lowest ones, set to zero",
    xs=(0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    arguments=lambda share: {
        "saliency_map": _without_low(share),
        "fixation_map": _fixations(),
        "baseline_map": _centre_map(),
    },
    shown=(0, 2, 4, 7, 9),
    name=lambda share: f"{share:.0%} zero",
    truth=("fixation_map", "fixations"),
    lines=(Line("NSS", lambda x: nss(_without_low(x), _fixations()), right=True),),
    levels={"as good as the baseline map": 0},
    levels_right=True,
    ylabel="IG (bits per fixation)",
    right_label="NSS (standard deviations)",
    right_ylim=(0, 4),
    ticks={x / 10: f"{10 * x}%" for x in range(10)},
)


# LL


def _hedged(share: float) -> FloatArray:
    counts = _fixations(first_half=True).astype(np.float64)
    sharp = _to_one(kernel_density(counts, (3.0, 3.0)))
    return np.log((1 - share) * sharp + share / sharp.size)


LOG_LIKELIHOOD = Study(
    key="log_likelihood",
    title="LL punishes a density that is too sure: a little uniform density saves it",
    label="LL of the density on other viewers",
    xlabel="share of the uniform density in the mixture",
    xs=tuple(float(f"{x:.3g}") for x in np.geomspace(1e-6, 1, 13)),
    arguments=lambda share: {"log_density": _hedged(share), "fixation_map": _fixations(first_half=False)},
    shown=(0, 4, 8, 10, 12),
    name=lambda share: f"share {share:.0e}" if share < 0.01 else f"share {share:.2g}",
    truth=("fixation_map", "other viewers"),
    thumbnail="log_density",
    levels={
        "the density that the fixations were drawn from": log_likelihood(
            np.log(_to_one(SCENE.density())), _fixations(first_half=False)
        ),
        "uniform density: -log2(pixels)": -float(np.log2(SCENE.density().size)),
    },
    ylabel="LL (bits per fixation)",
    log=True,
    legend=(0.3, 0.36),
)


# CC


def _blurred(sigma: float) -> FloatArray:
    return mit_density(_fixations(), sigma=sigma)


CC = Study(
    key="cc",
    title="Two fixed maps: which one CC prefers depends on the ground truth's blur",
    label="CC of the sharp map",
    xlabel="blur of the ground truth, sigma in pixels (--blur-sigma)",
    xs=(1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32),
    arguments=lambda sigma: {"saliency_map": SCENE.density(), "ground_truth_map": _blurred(sigma)},
    shown=(0, 2, 4, 6, 9),
    name=lambda sigma: f"sigma {sigma:g}",
    truth=("saliency_map", "sharp map"),
    thumbnail="ground_truth_map",
    lines=(
        Line(
            "CC of the sharp map under a blur of 14 pixels",
            lambda x: cc(gaussian_filter(SCENE.density(), 14), _blurred(x)),
        ),
    ),
    ylabel="CC",
    ylim=(0, 1.02),
    ticks={s: f"{s:g}" for s in (1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32)},
    log=True,
)


# SIM


@cache
def _haze() -> FloatArray:
    noise = np.random.default_rng(3).normal(size=SCENE.size)
    return _to_one(normalise_range(gaussian_filter(noise, 5, mode="reflect")))


@cache
def _truth() -> FloatArray:
    return _to_one(mit_density(_fixations(), sigma=5))


def _hazy(share: float) -> FloatArray:
    return (1 - share) * _truth() + share * _haze()


SIM = Study(
    key="sim",
    title="A faint haze holds much of the mass: SIM counts it, CC and AUC-J look over it",
    label="SIM",
    xlabel="share of the map's mass that is haze",
    xs=tuple(x / 10 for x in range(10)),
    arguments=lambda share: {"saliency_map": _hazy(share), "ground_truth_map": _truth()},
    shown=(0, 2, 4, 6, 9),
    name=lambda share: f"{share:.0%} haze",
    truth=("ground_truth_map", "ground truth"),
    lines=(
        Line("CC", lambda x: cc(_hazy(x), _truth())),
        Line("AUC-J", lambda x: auc_judd(_hazy(x), _fixations(), jitter=False)),
    ),
    ylabel="score",
    ylim=(0, 1.06),
    ticks={x / 10: f"{10 * x}%" for x in range(10)},
    legend="lower left",
)


# KL

SPOTS = ((24, 24), (70, 60), (28, 90), (66, 112), (50, 38), (18, 58), (52, 82), (82, 16))


@cache
def _spots(count: float) -> FloatArray:
    spots = [_gaussian(FRAME, row, column, (5, 5)) for row, column in SPOTS[: int(count)]]
    return _to_one(np.sum(spots, axis=0))


def _with_floor(count: float) -> FloatArray:
    return 0.99 * _spots(count) + 0.01 / _spots(count).size


KL_DIVERGENCE = Study(
    key="kl_divergence",
    title="KL: a spot that is missed costs far more than a spot too many",
    label="KL",
    xlabel="spots in the saliency map; the ground truth has the first 4",
    xs=tuple(range(1, 9)),
    arguments=lambda count: {"saliency_map": _spots(count), "ground_truth_map": _spots(4)},
    shown=(0, 2, 3, 5, 7),
    name=lambda count: {1: "misses 3", 3: "misses 1", 4: "right"}.get(int(count), f"{count - 4:g} too many"),
    truth=("ground_truth_map", "ground truth"),
    lines=(Line("KL, 1% uniform density mixed in", lambda x: kl_divergence(_with_floor(x), _spots(4))),),
    ylabel="KL (nats), lower is better",
    ticks={n: str(n) for n in range(1, 9)},
)


# EMD

LARGE = (384, 640)


@cache
def _blob(shift: float) -> FloatArray:
    return _gaussian(LARGE, 191.5, 111.5 + shift, (24, 24))


EMD = Study(
    key="emd",
    title="EMD knows how far off a map is; CC only whether the two overlap",
    label="EMD",
    xlabel="shift of the map in pixels (a cell is 32 pixels)",
    xs=tuple(32 * n for n in range(14)),
    arguments=lambda shift: {"saliency_map": _blob(shift), "ground_truth_map": _blob(0)},
    shown=(0, 2, 5, 9, 13),
    name=lambda shift: f"{shift:g} px off",
    truth=("ground_truth_map", "ground truth"),
    lines=(Line("CC", lambda x: cc(_blob(x), _blob(0)), right=True),),
    ylabel="EMD (cells), lower is better",
    right_label="CC",
    right_ylim=(-0.1, 1.05),
    ticks={32 * n: str(32 * n) for n in range(14)},
    legend="center right",
)

STUDIES: dict[str, Study] = {
    study.key: study
    for study in (
        AUC_JUDD,
        AUC_BORJI,
        AUC_SHUFFLED,
        NSS,
        INFORMATION_GAIN,
        LOG_LIKELIHOOD,
        CC,
        SIM,
        KL_DIVERGENCE,
        EMD,
    )
}
"""What each metric's picture shows, by the metric's key."""


def stored_curve(key: str) -> dict[str, Any]:
    """The curve that the picture in its file shows: {"x": [...], "y": [...]}."""
    with Image.open(HERE / f"{key}.png") as picture:
        return dict(json.loads(picture.info["curve"]))


def write(key: str, folder: Path = HERE) -> None:
    """Draw a metric's picture into its file in a folder."""
    study = STUDIES[key]
    values = study.curve()
    figure = Figure(figsize=(WIDTH, HEIGHT), facecolor="white")
    FigureCanvasAgg(figure)
    figure.text(0.015, 0.965, study.title, fontsize=12.5, fontweight="bold", color=INK, va="center")
    _draw_thumbnails(figure, study, values)
    _draw_curves(figure.add_axes((0.09, 0.115, 0.825 if study.right_label else 0.895, 0.485)), study, values)
    raw = io.BytesIO()
    figure.savefig(raw, format="png", dpi=DPI)
    notes = PngInfo()
    notes.add_text("curve", json.dumps({"x": [float(x) for x in study.xs], "y": values}))
    with Image.open(raw) as drawn:
        _with_palette(drawn.convert("RGB")).save(folder / f"{key}.png", optimize=True, pnginfo=notes)


def _with_palette(drawn: Image.Image) -> Image.Image:
    """The picture in few colours, those of the lines and points among them unchanged."""
    fixed = [
        int(colour[i : i + 2], 16) for colour in (INK, MAIN, SECOND, THIRD, FIXATION, "#ffffff") for i in (1, 3, 5)
    ]
    common = drawn.quantize(COLOURS, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette(fixed + common)
    return drawn.quantize(palette=palette, dither=Image.Dither.NONE)


def _draw_thumbnails(figure: Figure, study: Study, values: Sequence[float]) -> None:
    first = study.arguments(study.xs[0])
    argument, caption = study.truth
    _thumbnail(figure, 0, first[argument], caption)
    for place, (letter, number) in enumerate(zip("abcde", study.shown, strict=True), start=1):
        x = study.xs[number]
        caption = f"{letter}  {study.name(x)}"
        shown = study.arguments(x)[study.thumbnail]
        if study.thumbnail == "log_density":
            shown = np.maximum(shown, np.log(1e-7))
        _thumbnail(figure, place, shown, caption, f"{METRICS[study.key].symbol} {values[number]:z.2f}")


def _thumbnail(figure: Figure, place: int, values: FloatArray | BoolArray, caption: str, score: str = "") -> None:
    step, width = 0.163, 0.152
    axes = figure.add_axes((0.018 + place * step, 0.695, width, 0.185))
    if values.dtype == np.bool_:
        rows, columns = np.nonzero(values)
        axes.imshow(np.zeros(values.shape), cmap="Blues", vmin=0, vmax=1)
        axes.scatter(columns, rows, s=3 if len(rows) < 300 else 1, color=FIXATION, linewidths=0)
    else:
        axes.imshow(values, cmap="Blues", interpolation="nearest")
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#999999")
    axes.set_title(caption, fontsize=9, color=INK, pad=3)
    axes.set_xlabel(score, fontsize=9, color=MAIN, labelpad=2)


def _draw_curves(axes: Axes, study: Study, values: Sequence[float]) -> None:
    right = axes.twinx() if study.right_label else None
    handles = axes.plot(study.xs, values, "-o", color=MAIN, linewidth=2, markersize=4, label=study.label, zorder=4)
    styles = (("--", SECOND), (":", THIRD))
    for line, (style, colour) in zip(study.lines, styles, strict=False):
        place = right if line.right and right is not None else axes
        ys = [line.value(x) for x in study.xs]
        handles += place.plot(study.xs, ys, style, color=colour, linewidth=1.8, label=line.label)
    for label, level in (study.levels or {}).items():
        axes.axhline(level, color="#777777", linewidth=1.3, linestyle=":")
        where = (0.99, level) if study.levels_right else (0.01, level)
        axes.annotate(
            label,
            where,
            (0, 2),
            xycoords=axes.get_yaxis_transform(),
            textcoords="offset points",
            fontsize=9,
            color="#555555",
            ha="right" if study.levels_right else "left",
            va="bottom",
        )
    _mark(axes, study, values)
    if study.log:
        axes.set_xscale("log")
        axes.minorticks_off()
    if study.ticks:
        axes.set_xticks(list(study.ticks), list(study.ticks.values()))
    if study.reverse:
        axes.invert_xaxis()
    if study.ylim:
        axes.set_ylim(study.ylim)
    _dress(axes, study.xlabel, study.ylabel)
    if right is not None:
        right.set_ylim(study.right_ylim)
        right.set_ylabel(study.right_label, fontsize=10, color=SECOND)
        right.tick_params(labelsize=9, colors=SECOND)
        right.spines["top"].set_visible(False)
    else:
        axes.spines["right"].set_visible(False)
    axes.legend(handles=handles, fontsize=9, frameon=False, loc=study.legend)


def _mark(axes: Axes, study: Study, values: Sequence[float]) -> None:
    for letter, number in zip("abcde", study.shown, strict=True):
        where = (study.xs[number], values[number])
        axes.plot(*where, "o", color="white", markeredgecolor=MAIN, markersize=12, zorder=5, clip_on=False)
        axes.annotate(letter, where, ha="center", va="center_baseline", fontsize=8.5, color=MAIN, zorder=6)
    for label, x in (study.best or {}).items():
        axes.axvline(x, color="#999999", linewidth=1, linestyle=":")
        axes.text(x, 0.02, label, transform=axes.get_xaxis_transform(), fontsize=8.5, color="#555555", ha="center")


def _dress(axes: Axes, xlabel: str, ylabel: str) -> None:
    axes.set_xlabel(xlabel, fontsize=10, color=INK)
    axes.set_ylabel(ylabel, fontsize=10, color=INK)
    axes.tick_params(labelsize=9, colors=INK)
    axes.grid(color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines["top"].set_visible(False)


if __name__ == "__main__":
    for name in sys.argv[1:] or STUDIES:
        write(name)
