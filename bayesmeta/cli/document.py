"""The command ``bayesmeta document``: manuscript, workbook and checklists of a finished run, written again."""

from __future__ import annotations

import typer

from bayesmeta.cli.options import FolderArgument
from bayesmeta.cli.outputs import exit_with


def document(out: FolderArgument) -> None:
    """Write the manuscript, the workbook and the checklists of a finished run again."""
    from bayesmeta.reviews.documents.write import document as write
    from bayesmeta.reviews.running.ledger import check_results

    check_results(out)
    problems: list[str] = []
    for path in write(out, problems):
        typer.echo(str(path))
    exit_with(problems)
