"""Typed reading of JSON that somebody else may have written: every fault is a RunError that names file and place."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from salbench.errors import RunError
from salbench.plain_text import one_line


@dataclass(frozen=True)
class Record:
    """A JSON object with the file it stands in and the path to it, asked for one typed member at a time."""

    file: Path
    members: Mapping[str, Any]
    place: str = ""

    def record(self, key: str) -> "Record":
        """The object under that key."""
        value = self._typed(key, dict, "an object")
        return Record(self.file, value, self._place(key))

    def text(self, key: str) -> str:
        """The text under that key, on one line and printable; never empty."""
        cleaned = one_line(self._typed(key, str, "text"))
        if not cleaned:
            raise self.fault(key, "is empty")
        return cleaned

    def text_or(self, key: str, default: str) -> str:
        """The text under that key as `text` gives it, or the default where it is blank."""
        return one_line(self._typed(key, str, "text")) or default

    def optional_record(self, key: str) -> "Record":
        """The object under that key; an empty one where the key is missing or null."""
        if self.members.get(key) is None:
            return Record(self.file, {}, self._place(key))
        return self.record(key)

    def optional_text(self, key: str) -> str:
        """The text under that key; empty where the key is missing, null or blank."""
        if self.members.get(key) is None:
            return ""
        return self.text_or(key, "")

    def texts(self, key: str) -> tuple[str, ...]:
        """The list of texts under that key."""
        values = self._typed(key, list, "a list of texts")
        if not all(isinstance(value, str) for value in values):
            raise self.fault(key, "must be a list of texts")
        return tuple(one_line(value) for value in values)

    def flag(self, key: str) -> bool:
        """The truth value under that key."""
        return bool(self._typed(key, bool, "true or false"))

    def count(self, key: str) -> int:
        """The whole number, at least zero, under that key."""
        value: int = self._typed(key, int, "a whole number")
        if isinstance(value, bool) or value < 0:
            raise self.fault(key, f"must be a whole number of at least 0, not {value!r}")
        return value

    def number(self, key: str) -> float | None:
        """The finite number under that key; None for null, which is how a NaN is written."""
        value = self._member(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.fault(key, f"must be a number or null, not {_short(value)}")
        try:
            number = float(value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.fault(key, "is too large for a number")
        return number

    def fault(self, key: str, problem: str) -> RunError:
        """The error for a member that cannot be used."""
        return RunError(f"{self.file}: {self._place(key)} {problem}")

    def _place(self, key: str) -> str:
        return f"{self.place}.{one_line(key)}" if self.place else one_line(key)

    def _member(self, key: str) -> Any:
        if key not in self.members:
            raise self.fault(key, "is missing")
        return self.members[key]

    def _typed(self, key: str, kind: type, description: str) -> Any:
        value = self._member(key)
        if not isinstance(value, kind):
            raise self.fault(key, f"must be {description}, not {_short(value)}")
        return value


def read_record(file: Path) -> Record:
    """The JSON object in a file."""
    try:
        content = json.loads(file.read_text(encoding="utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise RunError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise RunError(f"{file} is not strict JSON: {error}") from error
    if not isinstance(content, dict):
        raise RunError(f"{file} must hold a JSON object, not {_short(content)}")
    return Record(file, content)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON value (a NaN is written as null)")


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
