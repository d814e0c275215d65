"""Public data sets, fetched: download, check sum, unpack, in the layout that their loaders read."""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from salbench.archives import is_unpacked, unpack
from salbench.datasets.recipes import RECIPES, Archive, Recipe
from salbench.datasets.registry import DATASETS, salbench_home
from salbench.downloads import fetch
from salbench.errors import DataError, UsageError
from salbench.locks import held
from salbench.names import unknown_name
from salbench.paths import PathLike
from salbench.progress import Progress, Silent

BLOCK = 1 << 20


@dataclass(frozen=True)
class Got:
    """Where a data set lies. `fetched`: the archives that this call brought; the others were there."""

    root: Path
    fetched: tuple[str, ...]


def recipe_of(dataset: str) -> Recipe:
    """The recipe of a named data set. UsageError for an unknown one, and for one that cannot be fetched."""
    if dataset not in DATASETS:
        raise UsageError(unknown_name("data set", dataset, list(DATASETS)))
    recipe = RECIPES.get(DATASETS[dataset].home)
    if recipe is None:
        known = ", ".join(key for key, record in DATASETS.items() if record.home in RECIPES)
        raise UsageError(f"{dataset} is not fetched by salbench; can be: {known}")
    return recipe


def get(
    dataset: str,
    *,
    out: PathLike | None = None,
    local: PathLike | None = None,
    mirror: str | None = None,
    keep_archives: bool = False,
    progress: Progress | None = None,
) -> Got:
    """Fetch a named data set and unpack it; what is there already stays.

    `out`: its folder, by default `$SALBENCH_HOME/datasets/…`. `local`: a folder with archives that were brought by
    hand, under their names; they are checked like others and stay there. `mirror`: an address below which the archives
    lie under their names, instead of the authors'. `keep_archives`: keep downloaded archives beside the data.
    Raises UsageError for an unknown data set, RunError where another process fetches into the folder, and DataError,
    naming what to do, for anything that cannot be had.
    """
    recipe, listener = recipe_of(dataset), progress or Silent()
    root = Path(out) if out is not None else salbench_home() / "datasets" / recipe.home
    # Two at once would write into one download and one folder of unpacked files.
    with held(root, "fetches data into"):
        fetched = [
            archive.name
            for archive in recipe.archives
            if _got(recipe, archive, root, local, mirror, listener, keep=keep_archives)
        ]
        if _downloads(root).is_dir() and not any(_downloads(root).iterdir()):
            _downloads(root).rmdir()
    return Got(root, tuple(fetched))


def _got(
    recipe: Recipe,
    archive: Archive,
    root: Path,
    local: PathLike | None,
    mirror: str | None,
    progress: Progress,
    *,
    keep: bool,
) -> bool:
    """Bring one archive and what it makes; False where that was there already."""
    if is_there(root, archive):
        return False
    source = _bring(recipe, archive, root, local, mirror, progress)
    if archive.unpacks:
        unpack(source, root / archive.into, archive.makes, progress, name=archive.name)
    if archive.unpacks and not keep and source.parent == _downloads(root):
        source.unlink()
    return True


def is_there(root: Path, archive: Archive) -> bool:
    """Whether what an archive makes is there: unpacked by an earlier call, or a file that stays as it is, unharmed."""
    if archive.unpacks:
        return is_unpacked(root / archive.into, archive.name)
    file = root / archive.name
    return file.is_file() and md5_of(file) == archive.md5


def _downloads(root: Path) -> Path:
    return root / ".salbench" / "downloads"


def _bring(
    recipe: Recipe, archive: Archive, root: Path, local: PathLike | None, mirror: str | None, progress: Progress
) -> Path:
    """The archive's file, whose check sum is right."""
    if local is not None:
        return _brought(Path(local) / archive.name, archive, root)
    url = archive.url if mirror is None else f"{mirror.rstrip('/')}/{archive.name}"
    where = _downloads(root) if archive.unpacks else root
    by_hand = (
        f"By hand: get {archive.name} from {recipe.page}, put it into a folder, and call "
        "`salbench data get` with --from and that folder"
    )
    return fetch(url, where / archive.name, archive.md5, by_hand, progress)


def _brought(file: Path, archive: Archive, root: Path) -> Path:
    if not file.is_file():
        raise DataError(f"{file}: no such file; wanted: {archive.name} as its authors publish it")
    found = md5_of(file)
    if found != archive.md5:
        raise DataError(f"{file}: MD5 is {found}; wanted: {archive.md5}. It is damaged, or another edition")
    if not archive.unpacks:
        shutil.copyfile(file, root / archive.name)
    return file


def md5_of(file: Path) -> str:
    """MD5 of a file in hexadecimal, as the data sets' authors give it."""
    digest = hashlib.md5(usedforsecurity=False)
    with file.open("rb") as handle:
        while block := handle.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()
