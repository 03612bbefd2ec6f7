"""Exit codes: 0 done; 1 some analyses failed, the rest written; 2 bad input or usage; 130 interrupted (143, 129: by SIGTERM, SIGHUP)."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from bayesmeta.cli.model_options import in_options
from bayesmeta.errors import BayesmetaError


def invoke(application: typer.Typer) -> NoReturn:
    """Run an application; every error that a user can cause becomes one message and exit code 2."""
    try:
        application()
    except BayesmetaError as error:
        typer.echo(f"error: {in_options(str(error))}", err=True)
    except BrokenPipeError:
        sys.exit(0)
    except OSError as error:
        place = f"{str(error.filename)[:300]}: " if error.filename else ""
        typer.echo(f"error: {place}{error.strerror or error}; check the path", err=True)
    except RecursionError:
        typer.echo("error: something in the input is nested too deeply", err=True)
    except KeyboardInterrupt:
        typer.echo("interrupted; the files already written are complete", err=True)
        sys.exit(130)
    sys.exit(2)
