"""The build backend: setuptools, with source archives that are the same bytes wherever and whenever they are built.

Wheels are that already where SOURCE_DATE_EPOCH is set. An archive of setuptools' holds the times, owners and modes of
the files of its day; here they are set to SOURCE_DATE_EPOCH (by default 1980, the first year that a wheel can name
too), root and what git tells apart: executable or not.
"""

import gzip
import io
import os
import tarfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_wheel,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

EPOCH_1980 = 315532800


def build_sdist(sdist_directory, config_settings=None):
    """Build the source archive and return its name, as PEP 517 asks."""
    name = build_meta.build_sdist(sdist_directory, config_settings)
    path = Path(sdist_directory, name)
    path.write_bytes(settled(path.read_bytes(), int(os.environ.get("SOURCE_DATE_EPOCH", EPOCH_1980))))
    return name


def settled(archive, moment):
    """The same files in a .tar.gz of fixed times, owners, modes and order."""
    inside = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(archive)) as old, tarfile.open(fileobj=inside, mode="w") as new:
        for member in sorted(old.getmembers(), key=lambda one: one.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = moment, 0, 0, "", ""
            member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            member.pax_headers = {}
            new.addfile(member, old.extractfile(member) if member.isfile() else None)
    whole = io.BytesIO()
    with gzip.GzipFile(fileobj=whole, mode="wb", filename="", mtime=moment) as packed:
        packed.write(inside.getvalue())
    return whole.getvalue()
