"""`salbench export`."""

import tempfile
from pathlib import Path
from typing import Any

import click

from salbench.cli.options import ANY_PATH, EXISTING_FILE, EXISTING_FOLDER, EXISTING_PATH, run_options

BENCHMARKS = ("mit300", "cat2000", "salicon2015", "salicon2017", "tuebingen")


@click.command()
@click.argument("benchmark", type=click.Choice(BENCHMARKS))
@click.argument("source", required=False, type=EXISTING_PATH, metavar="[RUN|MAPS]")
@click.option("--model", metavar="NAME", help="A registered model, whose maps are made first.")
@click.option("--checkpoint", type=EXISTING_FILE, help="Weights of the model.")
@click.option("--data", type=EXISTING_FOLDER, help="Folder where the benchmark's images are.")
@run_options()
@click.option("--out", "-o", required=True, type=ANY_PATH, metavar="FILE", help="Archive to write.")
def export(benchmark: str, source: Path | None, model: str | None, out: Path, **options: Any) -> None:
    """Write the archive that a benchmark takes: right names, sizes and formats, read back and checked.

    Of a run that kept its maps (`salbench score --save-maps`), of a folder of maps, or of a model. Incomplete sets are
    refused, with the images that are missing. mit300 and cat2000: a zip of PNGs; salicon2015 and salicon2017: the
    challenge's result file; tuebingen: HDF5 of natural logarithms of densities on MIT300's images.

    \b
    Examples:
      salbench export mit300 my-maps --data ~/mit300 -o mit300.zip
      salbench export tuebingen densities --data ~/mit300 -o densities.hdf5
      salbench export salicon2017 --model salgan --checkpoint salgan.safetensors --data ~/salicon -o results.json
    """
    from salbench.cli.console import ConsoleProgress
    from salbench.submissions import export as write_archive

    if (source is None) == (model is None):
        raise click.UsageError("name either a run or a folder of maps, or a model")
    if model is None and options["checkpoint"] is not None:
        raise click.UsageError("a checkpoint belongs to a model")
    progress = ConsoleProgress()
    try:
        if source is not None:
            write_archive(benchmark, source, out, data=options["data"], progress=progress)
        else:
            _of_model(benchmark, str(model), out, progress, options)
    finally:
        progress.finish()
    click.echo(f"archive: {out}")


def _of_model(benchmark: str, model: str, out: Path, progress: Any, options: dict[str, Any]) -> None:
    """Predict into a folder that is gone afterwards, then write the archive."""
    from salbench.datasets.registry import open_dataset
    from salbench.errors import RunError
    from salbench.prediction import predict
    from salbench.submissions import KINDS
    from salbench.submissions import export as write_archive

    kind = KINDS[benchmark]
    dataset = open_dataset(kind.dataset, options["data"])
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}.") as folder:
        form = "npy" if kind.log_density else "png"
        made = predict(model, dataset=dataset, **{**options, "data": None}, out=folder, form=form, progress=progress)
        if made.errors:
            name, text = next(iter(made.errors.items()))
            raise RunError(f"{len(made.errors)} images could not be predicted; the first, {name}: {text}")
        write_archive(benchmark, folder, out, dataset=dataset, progress=progress)
