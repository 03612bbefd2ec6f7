"""The command ``bayesmeta`` and its subcommands."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from bayesmeta.cli.categories import categories
from bayesmeta.cli.check import check
from bayesmeta.cli.compare import compare
from bayesmeta.cli.corpus import corpus
from bayesmeta.cli.document import document
from bayesmeta.cli.exit_codes import invoke
from bayesmeta.cli.fit import fit
from bayesmeta.cli.forest import forest
from bayesmeta.cli.import_review import import_command
from bayesmeta.cli.lists import models, priors
from bayesmeta.cli.network import network
from bayesmeta.cli.outputs import figures, report, tables
from bayesmeta.cli.run import run

app = typer.Typer(
    name="bayesmeta",
    help="Bayesian and frequentist random-effects meta-analysis: exact quadrature, NUTS, tables and forest plots.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"bayesmeta {version('bayesmeta')}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


app.command()(run)
app.command("import")(import_command)
app.command()(check)
app.command()(corpus)
app.command()(fit)
app.command()(compare)
app.command()(forest)
app.command()(network)
app.command()(categories)
app.command()(tables)
app.command()(figures)
app.command()(report)
app.command()(document)
app.command()(models)
app.command()(priors)


def main() -> NoReturn:
    """Run the command line."""
    invoke(app)
