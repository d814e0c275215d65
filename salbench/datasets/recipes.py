"""Where public data sets come from: their archives, check sums, licences, and what must lie there afterwards.

Addresses and MD5 sums are those that the data sets' authors and pysaliency 0.2.22 name. Addresses move: whatever cannot
be fetched can be brought by hand, under the archive's name, and is checked in the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
JUDD = "http://people.csail.mit.edu/tjudd/WherePeopleLook"
MIT = "http://saliency.mit.edu"
FIGRIM = "http://figrim.mit.edu"


@dataclass(frozen=True)
class Archive:
    """A file to fetch. `makes`: the entries, below the data set's folder, that it holds once it is unpacked; `into`: a
    folder there that it is unpacked into.
    """

    name: str
    url: str
    md5: str
    makes: tuple[str, ...]
    into: str = ""

    @property
    def unpacks(self) -> bool:
        """Whether it is an archive, and not a file that stays as it is."""
        return self.name.endswith(".zip")


@dataclass(frozen=True)
class Recipe:
    """How to get a data set. `home`: its folder under `$SALBENCH_HOME/datasets`. `page`: where people find it."""

    home: str
    page: str
    licence: str
    archives: tuple[Archive, ...]


UNSTATED = "not stated by its authors; for research, with the citation"

_SALICON_IMAGES = Archive(
    "salicon-images.zip",
    f"{DRIVE}1g8j-hTT-51IG1UFwP0xTGhLdgIUCW5e5",
    "eb2a1bb706633d1b31fc2e01422c5757",
    ("images/train", "images/val", "images/test"),
)


def _salicon(edition: str, drive_id: str, md5: str) -> Recipe:
    gaze = Archive(f"salicon-fixations-{edition}.zip", f"{DRIVE}{drive_id}", md5, ("train", "val"))
    licence = "images: COCO's terms of use; annotations: as salicon.net says"
    return Recipe(f"salicon{edition}", "http://salicon.net", licence, (_SALICON_IMAGES, gaze))


RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        recipe.home: recipe
        for recipe in (
            _salicon("2015", "1WVEiXba-I4GN33f0uUl4KhaN1rK7qzs6", "9a22db9d718200fb90252e5010c004c4"),
            _salicon("2017", "1P-jeZXCsjoKO79OhFUgnj6FGcyvmLDPj", "462b70f4f9e8ea446ac628e46cea8d3d"),
            Recipe(
                "mit1003",
                f"{JUDD}/index.html",
                UNSTATED,
                (
                    Archive(
                        "ALLSTIMULI.zip", f"{JUDD}/ALLSTIMULI.zip", "0d7df8b954ecba69b6796e77b9afe4b6", ("ALLSTIMULI",)
                    ),
                    Archive("DATA.zip", f"{JUDD}/DATA.zip", "ea19d74ad0a0144428c53e9d75c2d71c", ("DATA",)),
                ),
            ),
            Recipe(
                "mit300",
                f"{MIT}/datasets.html",
                UNSTATED,
                (
                    Archive(
                        "BenchmarkIMAGES.zip",
                        f"{MIT}/BenchmarkIMAGES.zip",
                        "03ed32bdf5e4289950cd28df89451260",
                        ("BenchmarkIMAGES",),
                    ),
                ),
            ),
            Recipe(
                "cat2000",
                f"{MIT}/datasets.html",
                UNSTATED,
                (
                    Archive("trainSet.zip", f"{MIT}/trainSet.zip", "56ad5c77e6c8f72ed9ef2901628d6e48", ("trainSet",)),
                    Archive("testSet.zip", f"{MIT}/testSet.zip", "903ec668df2e5a8470aef9d8654e7985", ("testSet",)),
                ),
            ),
            Recipe(
                "toronto",
                "http://www-sop.inria.fr/members/Neil.Bruce/",
                UNSTATED,
                (
                    Archive(
                        "eyetrackingdata.zip",
                        "http://www-sop.inria.fr/members/Neil.Bruce/eyetrackingdata.zip",
                        "38d5c02217060d4d2d1a4649cc632af1",
                        ("eyetrackingdata",),
                    ),
                ),
            ),
            Recipe(
                "pascal-s",
                "http://cbs.ic.gatech.edu/salobj/",
                UNSTATED,
                (
                    Archive(
                        "salObj.zip",
                        "http://cbs.ic.gatech.edu/salobj/download/salObj.zip",
                        "e48b4e5deac08bddcaec55ce56e4d420",
                        ("datasets",),
                    ),
                ),
            ),
            Recipe(
                "dut-omron",
                "http://saliencydetection.net/dut-omron",
                UNSTATED,
                (
                    Archive(
                        "DUT-OMRON-image.zip",
                        "http://saliencydetection.net/dut-omron/download/DUT-OMRON-image.zip",
                        "a8951db9297afacf78bc0e5079103cf1",
                        ("DUT-OMRON-image",),
                    ),
                    Archive(
                        "DUT-OMRON-eye-fixations.zip",
                        "http://saliencydetection.net/dut-omron/download/DUT-OMRON-eye-fixations.zip",
                        "d9f4f83fcc78b1e5efb579ae9fb0edc2",
                        ("DUT-OMRON-eye-fixations",),
                    ),
                ),
            ),
            Recipe(
                "figrim",
                f"{FIGRIM}/index_eyetracking.html",
                UNSTATED,
                (
                    Archive(
                        "Targets.zip",
                        f"{FIGRIM}/Targets.zip",
                        "2ad3a42ebc377efe4b39064405568201",
                        ("Targets",),
                    ),
                    Archive(
                        "Fillers.zip",
                        f"{FIGRIM}/Fillers.zip",
                        "dc0bc9561b5bc90e158ec32074dd1060",
                        ("Fillers",),
                    ),
                    Archive(
                        "allImages_release.mat",
                        "https://raw.githubusercontent.com/cvzoya/figrim/master/targetData/allImages_release.mat",
                        "c72843b05e95ab27594c1d11c849c897",
                        ("allImages_release.mat",),
                    ),
                    Archive(
                        "allImages_fillers.mat",
                        "https://raw.githubusercontent.com/cvzoya/figrim/master/fillerData/allImages_fillers.mat",
                        "ce4f8b4961005d62f7a21191a64cab5e",
                        ("allImages_fillers.mat",),
                    ),
                ),
            ),
        )
    }
)
"""By the folder that `DATASETS` names as a data set's home."""
