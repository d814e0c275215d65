"""`salbench table`."""

from pathlib import Path
from typing import Any

import click

from salbench.cli.options import ANY_PATH

FORMS = {".tex": "latex", ".html": "html", ".htm": "html", ".csv": "csv"}
"""By the ending of a file's name, what is expected in it."""


@click.command()
@click.argument("runs", nargs=-1, metavar="[RUN]...", type=ANY_PATH)
@click.option(
    "--layout",
    type=click.Choice(["plain", "2", "3", "4"]),
    default="plain",
    show_default=True,
    help="All metrics with intervals, or the columns of the SalGAN paper's Table 2, 3 or 4.",
)
@click.option("--published", is_flag=True, help="Print the paper's own rows too.")
@click.option(
    "--reference",
    default="salgan",
    show_default=True,
    help="Layout 4: values worse than this model's are put in brackets.",
)
@click.option(
    "--intervals/--no-intervals",
    default=None,
    help="Print 95 % confidence intervals of measured values.  [default: in the layout plain]",
)
@click.option("--digits", type=click.IntRange(0, 10), help="Decimals of measured values.  [default: the layout's]")
@click.option("--sort", metavar="METRIC", help="Put the rows of each section in the order of a column, best first.")
@click.option("--emphasis", is_flag=True, help="Best values bold, those that tie with them too; the next underlined.")
@click.option("--transpose", is_flag=True, help="Models as columns.")
@click.option(
    "--interval-style",
    type=click.Choice(["brackets", "plus-minus"]),
    default="brackets",
    show_default=True,
    help="How intervals are printed; plus-minus is half of their width.",
)
@click.option("--siunitx", is_flag=True, help="LaTeX: figures aligned at their decimal point by that package.")
@click.option("--document", is_flag=True, help="LaTeX: a whole article that compiles. HTML: a whole page.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["latex", "markdown", "html", "csv"]),
    help="How to print it.  [default: by the ending of --out, else markdown]",
)
@click.option("--out", "-o", type=ANY_PATH, help="File to write, instead of standard output.")
def table(
    runs: tuple[Path, ...],
    form: str | None,
    transpose: bool,
    interval_style: str,
    siunitx: bool,
    document: bool,
    out: Path | None,
    **options: Any,
) -> None:
    """Print runs, and published figures, as a table.

    RUN is a folder that `salbench score` made, or an entry of a leaderboard (`salbench leaderboard add`).

    \b
    Examples:
      salbench table runs/a runs/b
      salbench table --layout 4 --published --format latex -o table4.tex
      salbench table runs/* --layout 3 --published --intervals
      salbench table runs/* --sort nss --emphasis --format latex --siunitx --document -o tables.tex
      salbench table runs/* --layout 4 --published --reference salgan --format html -o table4.html
    """
    from salbench.atomic import write_text
    from salbench.tables import make_table, render

    made = make_table(runs, **options)
    form = form or FORMS.get(out.suffix.lower() if out else "", "markdown")
    text = render(made, form, transpose=transpose, interval_style=interval_style, siunitx=siunitx, document=document)
    if out is None:
        click.echo(text, nl=not text.endswith("\n"))
    else:
        write_text(out, text)
        click.echo(f"table: {out}", err=True)
