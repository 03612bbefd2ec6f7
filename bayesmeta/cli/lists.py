"""The commands ``bayesmeta models`` and ``bayesmeta priors``: lists of what can be chosen."""

from __future__ import annotations

from typing import Annotated

import typer


def models() -> None:
    """List the model files that bayesmeta includes."""
    import ast

    from bayesmeta.engines.nuts.model_files import available_models, model_folder

    for name in available_models():
        # parsed, not imported: importing PyMC takes seconds
        summary = ast.get_docstring(ast.parse((model_folder() / f"{name}.py").read_text(encoding="utf-8"))) or ""
        typer.echo(f"{name:20} {summary.splitlines()[0] if summary else ''}")


def priors(
    table: Annotated[
        str | None, typer.Argument(help="An empirical prior whose rows to list: turner2015 or rhodes2015.")
    ] = None,
) -> None:
    """List the prior families, or the rows of an empirical prior."""
    from bayesmeta.model.priors.empirical import EMPIRICAL, empirical_entries
    from bayesmeta.model.priors.families import FAMILIES

    if table is None:
        for name, family in FAMILIES.items():
            typer.echo(f"{name}({', '.join(family.parameters)})")
        typer.echo("turner2015(outcome, comparison): log odds ratio; rhodes2015(outcome, comparison, area): SMD")
        typer.echo(f"`bayesmeta priors {next(iter(EMPIRICAL))}` lists the rows of an empirical prior")
        return
    for row in empirical_entries(table):
        typer.echo(" | ".join(row.values()))
