"""The licences of what salbench needs at run time, as the installed packages tell; as a program, docs/licences.md.

    python tests/supply/licences.py > docs/licences.md

Run it where every extra is installed. It ends with 1 where a licence is none of those that are known to do.
"""

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement

EXTRAS = ("", "torch", "cluster")
PERMISSIVE = re.compile(
    r"0?BSD|MIT|Apache|PSF|Python Software Foundation|HPND|MPL|Mozilla|ISC|Zlib|CC0|BSL-1\.0|Unlicense|LLVM-exception"
)
"""What a licence has to be made of."""
OPENLY_OTHER = {
    **dict.fromkeys(("cuda-toolkit", "cuda-pathfinder", "cuda-bindings"), "NVIDIA, or Apache-2.0: see below"),
    "nvidia-": "NVIDIA, proprietary: see below",
}
"""Packages, or the beginnings of their names, that are listed although their licence is none of those."""
STATED_ELSEWHERE = {
    "contourpy": "BSD-3-Clause",
    "cycler": "BSD-3-Clause",
    "kiwisolver": "BSD-3-Clause",
    "matplotlib": "PSF-based (matplotlib's own)",
    "scipy": "BSD-3-Clause",
}
"""Short names where the package has the whole text for its name."""

HEAD = """# Licences

salbench is under the MIT licence. It ships none of the packages below; an installer fetches them. Written by
`python tests/supply/licences.py` from what the installed packages say of themselves; a test holds the direct
dependencies to it, and fails where any installed package brings a licence that is not permissive and not named here.

| package | version here | licence | needed |
|---|---|---|---|
"""
FOOT = """
## What is not permissive

- `nvidia-*` and `cuda-*` come with PyTorch's CUDA builds for Linux from PyPI, under NVIDIA's own terms. PyTorch's
  CPU builds come without them.
- The wheels of opencv-python-headless hold FFmpeg under LGPL-2.1 as shared libraries of their own, which can be
  exchanged. salbench reads and writes pictures with OpenCV, never films. Its licence texts lie in the wheel.
- The wheels of NumPy and SciPy hold libgfortran and libquadmath, GPL-3.0 with GCC's run-time exception and LGPL-2.1,
  that programs of any licence may be linked with.
- certifi is a list of certificates under MPL-2.0, used as it is.

## Data and weights

No data set and no weights are part of salbench. What a data set's owners allow is printed by `salbench data info NAME`
before anything is fetched: [data.md](data.md). Where weights come from is told in [salgan.md](salgan.md); theirs are
the terms of those who published them.
"""


@dataclass(frozen=True)
class Package:
    """An installed package. `needed`: "directly", or by which package."""

    name: str
    version: str
    licence: str
    needed: str


def canonical(name: str) -> str:
    """A package's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def other_licence(name: str) -> str | None:
    """What is said of a package that is listed although its licence is none of the permissive ones."""
    return next((said for start, said in OPENLY_OTHER.items() if canonical(name).startswith(start)), None)


def licence_of(found: Distribution) -> str:
    """The licence in the words of the package's metadata; empty where it says nothing."""
    name, facts = canonical(found.metadata["Name"]), found.metadata
    classifiers = facts.get_all("Classifier") or []
    classified = [line.split(" :: ")[-1] for line in classifiers if line.startswith("License")]
    free = (facts.get("License") or "").strip()
    stated = facts.get("License-Expression") or STATED_ELSEWHERE.get(name) or (free if len(free) < 40 else "")
    return stated or ", ".join(classified)


def is_permissive(licence: str) -> bool:
    """Whether every part of a licence expression is one of the permissive licences."""
    parts = re.split(r" AND | OR |, ", licence.strip("()"))
    return all(PERMISSIVE.search(part) for part in parts)


def requirements(found: Distribution, extras: tuple[str, ...]) -> Iterator[Requirement]:
    """What a package needs on this machine with these of its extras."""
    for line in found.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            yield requirement


def needed_packages() -> dict[str, Package]:
    """Every installed package that salbench needs at run time, however indirectly, by canonical name."""
    found: dict[str, Package] = {}
    waiting = [("directly", requirement) for requirement in requirements(distribution("salbench"), EXTRAS)]
    while waiting:
        needed, requirement = waiting.pop(0)
        name = canonical(requirement.name)
        if name in found or name == "salbench":
            continue
        try:
            package = distribution(requirement.name)
        except PackageNotFoundError:  # of an extra, or of another system
            continue
        found[name] = Package(name, package.version, other_licence(name) or licence_of(package), needed)
        extras = tuple(requirement.extras) or ("",)
        waiting += [(f"by {name}", further) for further in requirements(package, extras)]
    return dict(sorted(found.items()))


def strangers(packages: dict[str, Package]) -> list[Package]:
    """Packages whose licence is neither permissive nor openly another."""
    return [found for name, found in packages.items() if not (other_licence(name) or is_permissive(found.licence))]


def main() -> int:
    """Write the page."""
    packages = needed_packages()
    rows = [f"| {found.name} | {found.version} | {found.licence} | {found.needed} |" for found in packages.values()]
    sys.stdout.write(HEAD + "\n".join(rows) + "\n" + FOOT)
    odd = strangers(packages)
    sys.stderr.write("".join(f"{found.name}: {found.licence or 'no licence'}\n" for found in odd))
    return bool(odd)


if __name__ == "__main__":
    sys.exit(main())
