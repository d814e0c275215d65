"""All commands in one group; each imports what it needs when it is called, so that `--help` is quick."""

import click

import salbench
from salbench.cli.audit import audit
from salbench.cli.bounds import bounds
from salbench.cli.compare import compare
from salbench.cli.data import data
from salbench.cli.demo import demo
from salbench.cli.doctor import doctor
from salbench.cli.export import export
from salbench.cli.figure import figure
from salbench.cli.import_ import import_
from salbench.cli.leaderboard import leaderboard
from salbench.cli.listing import list_
from salbench.cli.predict import predict
from salbench.cli.report import report
from salbench.cli.reproduce import reproduce
from salbench.cli.score import score
from salbench.cli.table import table
from salbench.cli.train import train


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(salbench.__version__, prog_name="salbench")
def cli() -> None:
    """Benchmark suite for visual saliency models.

    \b
    Try it out:                 salbench demo
    Score a folder of maps:     salbench score --dataset FOLDER --predictions MAPS
    Score a model:              salbench score --dataset synthetic --model centre
    Print tables:               salbench table --layout 4 --published
    Repeat the SalGAN paper:    salbench reproduce table2 --dataset FOLDER --out DIR
    """


for command in (
    score,
    compare,
    predict,
    audit,
    bounds,
    train,
    reproduce,
    import_,
    table,
    report,
    figure,
    leaderboard,
    export,
    list_,
    data,
    doctor,
    demo,
):
    cli.add_command(command)
