"""The run that the tutorial shows: tables and figures of the BCG review, made when the guide is built."""

from __future__ import annotations

from pathlib import Path

REVIEW = Path(__file__).parents[3] / "reviews" / "bcg"


def run_tutorial_review(folder: Path) -> None:
    """Run the BCG review with the quadrature engine into a folder; what is up to date there is kept.

    Raises
    ------
    RuntimeError
        If an analysis fails.
    """
    from bayesmeta.reviews.run import run_review

    run = run_review(REVIEW, folder, engine="quadrature")
    if run.failed:
        raise RuntimeError(f"the tutorial's review cannot be run: {run.failed}")
