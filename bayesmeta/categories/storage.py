"""Fits of outcomes with several categories as netCDF files, so that they need not be sampled again."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmeta.categories.ordered import OrderedEffects
from bayesmeta.categories.result import CategoryFit
from bayesmeta.categories.sampled import Effects
from bayesmeta.networks.records import from_text, to_text
from bayesmeta.posterior.netcdf import read_fit, write_tree
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import xarray as xr

#: attribute that has the records of a fit
ATTRIBUTE = "bayesmeta_categories"


def save_categories(fit: CategoryFit, path: str | os.PathLike[str]) -> Path:
    """Write a fit and all that ``load_categories`` needs to a netCDF file, completely or not at all.

    Parameters
    ----------
    fit : CategoryFit
        From ``categories``.
    path : str or path
        File to write. The group ``posterior`` has draws in arviz' schema: ``effects`` against the reference (centred log ratios, or on the
        scale of the link), ``tau``, ``fitted``, the probabilities of the cells of each arm, and of ordered categories ``cutpoints``.

    Returns
    -------
    pathlib.Path
        The file.
    """
    import xarray as xr

    target = checked_path(path, "the file to save to")
    table = fit.table
    cells = ("before", "category")
    variables: dict[str, Any] = {
        "tau": (("chain", "draw"), fit.tau),
        "fitted": (("chain", "draw", "arm", *cells), fit.fitted),
    }
    if isinstance(fit.effects, OrderedEffects):
        variables["effects"] = (("chain", "draw", "treatment"), fit.effects.effects)
        variables["cutpoints"] = (("chain", "draw", "cut"), fit.effects.cutpoints)
    else:
        variables["effects"] = (("chain", "draw", "treatment", *cells), fit.effects.effects)
    names = {
        "treatment": list(fit.treatments),
        "category": list(table.categories),
        "before": list(table.before or ("any",)),
        "arm": [f"{study}: {name}" for study, name in zip(table.studies, table.treatments, strict=True)],
    }
    draws = ("effects", "fitted")
    record = {field.name: getattr(fit, field.name) for field in dataclasses.fields(fit) if field.name not in draws}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset(variables, coords=names)})
    tree.attrs = {"inference_library": "bayesmeta", ATTRIBUTE: to_text(record)}
    return write_tree(tree, target)


def load_categories(path: str | os.PathLike[str]) -> CategoryFit:
    """Load a fit that ``CategoryFit.save`` wrote.

    Parameters
    ----------
    path : str or path
        netCDF file.

    Returns
    -------
    CategoryFit
        The fit with its stored draws: every number of it is the same.

    Raises
    ------
    DataError
        If the file does not exist, is not netCDF, or does not contain a complete fit.
    """
    return read_fit(
        path,
        "fit of categories",
        "load one that save() of a fit of categories wrote; load_posterior and load_network read those of other fits",
        _rebuilt,
    )


def _rebuilt(tree: xr.DataTree) -> CategoryFit:
    fields = from_text(tree.attrs[ATTRIBUTE])
    if not isinstance(fields["table"], CategoryTable):
        raise TypeError("not a table of categories")
    draws: dict[str, Array] = {
        str(name): values.values for name, values in tree["posterior"].to_dataset().data_vars.items()
    }
    reference = fields["treatments"].index(fields["reference"])
    if fields["link"]:
        effects: Any = OrderedEffects(draws["effects"], draws["tau"], reference, draws["cutpoints"], fields["link"])
    else:
        effects = Effects(draws["effects"], draws["tau"], reference)
    return CategoryFit(effects=effects, fitted=draws["fitted"], **fields)
