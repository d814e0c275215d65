"""Files that are either whole or not there: written beside their place, then renamed onto it."""

import errno
import glob
import io
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt

_SCRATCH = re.compile(r"\..+\.[0-9a-f]{8}\.tmp")


@contextmanager
def replacing(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """A scratch path in the folder of `path`; after the block it takes the place of `path`, after an error it is gone.

    The data reaches the disk before the name does, so that a crash leaves the old file or the new one; not `durable`:
    the file is whole for every process, but may be damaged after a crash of the machine, which its reader must notice.
    An OSError that names no file, as that of a full disk, or the scratch file, gets the name of `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        scratch.touch(exist_ok=False)
        yield scratch
        if durable:
            _flush(scratch)
        scratch.replace(path)
    except OSError as error:
        if error.errno is not None and error.filename in (None, str(scratch), str(path)):
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        scratch.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """OSError, before hours of work for it, where a file could not be written; nothing is left behind."""
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a folder", str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        error.filename, error.filename2 = str(path), None
        raise
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def remove_scratch(path: Path) -> None:
    """Remove what a killed `replacing(path)` left in the folder."""
    for leftover in path.parent.glob(f".{glob.escape(path.name)}.????????.tmp"):
        leftover.unlink(missing_ok=True)


def scratch_below(folder: Path, suffix: str = "") -> Iterator[Path]:
    """What killed writes of files whose names end with `suffix` left in a folder and those below it."""
    for leftover in folder.rglob(f".*{glob.escape(suffix)}.????????.tmp"):
        if _SCRATCH.fullmatch(leftover.name) and leftover.is_file():
            yield leftover


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """A whole UTF-8 text file, atomically; `durable` as in `replacing`."""
    with replacing(path, durable=durable) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_array(path: Path, array: "npt.NDArray[Any]", *, durable: bool = True) -> None:
    """A whole .npy file, atomically, of an array of any shape and numeric type; `durable` as in `replacing`.

    ValueError for objects, which would be pickled; OSError, naming the file, where the disk does not take it.
    Python writes it: `numpy.save` to a file writes the end of an array when it closes a handle of its own, and does not
    notice where the disk has no room for that.
    """
    import numpy as np  # noqa: PLC0415 - what writes no arrays does without

    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    with replacing(path, durable=durable) as scratch:
        scratch.write_bytes(content.getbuffer())


def write_json(path: Path, content: Any) -> None:
    """Strict JSON (no NaN, no infinity), indented, atomically."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
