"""Published figures, read from the package data of `salbench_leaderboards`: a CSV of strings, a TOML of provenance."""

import csv
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

_PACKAGE = "salbench_leaderboards"
_DESCRIPTIVE = ("section", "key", "model", "citation", "peer_reviewed")


@dataclass(frozen=True)
class PublishedRow:
    """A model's published figures by metric key, with the digits that were printed."""

    key: str
    model: str
    citation: str
    """The number in the source's bibliography, or empty."""
    peer_reviewed: bool
    values: Mapping[str, str]


@dataclass(frozen=True)
class PublishedSection:
    """Published rows of one data set, split and protocol; `protocol` is empty where the source names none."""

    title: str
    dataset: str
    edition: str
    split: str
    protocol: str
    rows: tuple[PublishedRow, ...]


@dataclass(frozen=True)
class PublishedTable:
    """A published table. `bracket_notes` hold for brackets against the source's own `reference` only."""

    number: int
    title: str
    source: str
    url: str
    date: str
    reference: str
    notes: tuple[str, ...]
    bracket_notes: tuple[str, ...]
    metrics: tuple[str, ...]
    sections: tuple[PublishedSection, ...]


def published_table(name: str) -> PublishedTable:
    """The published table of that name, such as `salgan-2017-table4`."""
    folder = files(_PACKAGE) / "published"
    facts = tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    records = list(csv.DictReader((folder / f"{name}.csv").read_text(encoding="utf-8").splitlines()))
    return PublishedTable(
        number=facts["table"],
        title=facts["title"],
        source=facts["source"],
        url=facts["url"],
        date=str(facts["date"]),
        reference=facts.get("reference", ""),
        notes=tuple(facts["notes"]),
        bracket_notes=tuple(facts.get("bracket_notes", ())),
        metrics=tuple(key for key in records[0] if key not in _DESCRIPTIVE),
        sections=tuple(_section(section, records) for section in facts["sections"]),
    )


def _section(facts: Mapping[str, Any], records: list[dict[str, str]]) -> PublishedSection:
    return PublishedSection(
        title=facts["title"],
        dataset=facts["dataset"],
        edition=facts["edition"],
        split=facts["split"],
        protocol=facts["protocol"],
        rows=tuple(_row(record) for record in records if record["section"] == facts["key"]),
    )


def _row(record: Mapping[str, str]) -> PublishedRow:
    return PublishedRow(
        key=record["key"],
        model=record["model"],
        citation=record["citation"],
        peer_reviewed=record["peer_reviewed"] == "true",
        values={key: value for key, value in record.items() if key not in _DESCRIPTIVE},
    )
