"""Arms of one treatment in one study combined into one arm."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesmeta.support.arrays import Array


def combined_numbers(columns: Mapping[str, Array], rows: list[int]) -> dict[str, float]:
    """Return the numbers of several arms taken together.

    Events, participants and time are added. The mean is weighted by the participants, and the standard deviation is that of all
    participants together (Cochrane Handbook 6.5.2.10); without participants means are weighted by the inverse of their variances.

    Parameters
    ----------
    columns : mapping of str to numpy.ndarray
        Numbers of all arms of a table.
    rows : list of int
        The arms to combine.
    """
    own: dict[str, Array] = {name: values[rows] for name, values in columns.items()}
    found: dict[str, float] = {name: float(own[name].sum()) for name in ("events", "n", "time") if name in own}
    if "mean" not in own:
        return found
    mean, n = own["mean"], own.get("n")
    if n is None or np.isnan(n).any():
        weight = 1 / own["se"] ** 2 if "se" in own else np.full(len(rows), np.nan)
        found["mean"] = float(weight @ mean / weight.sum())
        found["se"] = float(weight.sum() ** -0.5)
        return found
    total = float(n.sum())
    found["mean"] = centre = float(n @ mean) / total
    if "sd" in own:
        squares = float(((n - 1) * own["sd"] ** 2).sum() + (n * (mean - centre) ** 2).sum())
        found["sd"] = float(np.sqrt(squares / (total - 1)))
    if "se" in own:
        found["se"] = float(np.sqrt(((n * own["se"]) ** 2).sum()) / total)
    return found
