"""`salbench list`."""

from collections.abc import Callable

import click

from salbench.errors import DataError


@click.command("list")
@click.argument("what", type=click.Choice(["models", "datasets", "metrics", "protocols"]))
def list_(what: str) -> None:
    """List what is registered: models, datasets, metrics or protocols."""
    from salbench.cli.text import columns

    listings: dict[str, Callable[[], list[list[str]]]] = {
        "models": _models,
        "datasets": _datasets,
        "metrics": _metrics,
        "protocols": _protocols,
    }
    click.echo("\n".join(columns(listings[what]())))


def _models() -> list[list[str]]:
    from salbench.models import registry

    rows = []
    for name in registry().names():
        try:
            rows.append([name, registry().factory(name).card.description])
        except DataError as error:
            rows.append([name, f"cannot be used: {error}"])
    return rows


def _datasets() -> list[list[str]]:
    from salbench.datasets.registry import DATASETS

    return [[record.key, record.description, "splits: " + ", ".join(record.splits)] for record in DATASETS.values()]


def _metrics() -> list[list[str]]:
    from salbench.metrics import METRICS

    return [
        [m.key, f"{m.symbol} {m.arrow}", m.title, m.unit, "needs: " + ", ".join(need.value for need in m.needs)]
        for m in METRICS.values()
    ]


def _protocols() -> list[list[str]]:
    from salbench.protocols import PROTOCOLS

    return [[p.key, p.description, "metrics: " + ", ".join(p.metrics)] for p in PROTOCOLS.values()]
