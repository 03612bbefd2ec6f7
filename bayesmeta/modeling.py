"""Parts for PyMC model files: the one module of this package that a model file imports.

A model file is a Python file with a function ``build(data, priors)`` that returns a ``pymc.Model`` with the variables ``mu``, ``tau``
(scalars) and ``theta`` (dims ``study``), all on the model scale (log for ratios). Three names of the file are optional: ``MEASURES`` and
``LIKELIHOODS`` list the effect measures and the likelihoods it treats (default: every measure, the normal likelihood), and
``PADDED = True`` declares that it takes all its numbers through ``add_data``, ``add_priors`` and ``add_baseline`` and multiplies each
study's log likelihood by ``included``; it is then compiled once for many analyses. The first line of its docstring is its summary.

A model with a t distributed likelihood, so that single outlying estimates count less, ``robust.py``::

    \"\"\"Random-effects model for ready-made estimates with t distributed errors.\"\"\"

    import pymc as pm

    from bayesmeta.modeling import ModelData, Priors, add_data, add_priors, add_study_effects, run_as_script

    LIKELIHOODS = ("normal",)
    PADDED = True


    def build(data: ModelData, priors: Priors) -> pm.Model:
        with pm.Model(coords={"study": data.labels}) as model:
            columns = add_data(data)
            mu, tau = add_priors(priors)
            theta = add_study_effects(mu, tau, columns)
            error = pm.StudentT.dist(nu=4, mu=theta, sigma=columns["se"])
            pm.Potential("log_likelihood", columns["included"] * pm.logp(error, columns["effect"]))
        return model


    if __name__ == "__main__":
        run_as_script(__file__)

``python robust.py studies.csv`` fits it, and so does ``bayesmeta.fit("studies.csv", model="robust.py")``. ``ModelData`` lists the columns
of each likelihood. The files in ``models/`` are further examples.
"""

from __future__ import annotations

import os
from importlib import import_module

from bayesmeta.engines.nuts.blocks import (
    add_baseline,
    add_data,
    add_priors,
    add_study_effects,
    log1mexp_with_bounded_slope,
)
from bayesmeta.engines.nuts.category_arms import CategoryArms
from bayesmeta.engines.nuts.category_blocks import (
    add_categories,
    add_category_baselines,
    add_multinomial,
    category_coordinates,
    log_probabilities,
)
from bayesmeta.engines.nuts.levels import add_levels
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.engines.nuts.network_arms import NetworkArms
from bayesmeta.engines.nuts.network_blocks import (
    add_arm_effects,
    add_arms,
    add_network_priors,
    add_trial_baselines,
    network_coordinates,
)
from bayesmeta.engines.nuts.ordered_arms import OrderedArms
from bayesmeta.engines.nuts.ordered_blocks import (
    add_cutpoints,
    add_ordered_arms,
    ordered_coordinates,
    ordered_log_probabilities,
)
from bayesmeta.engines.nuts.sampling_errors import add_sampling_errors
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors

__all__ = [
    "CategoryArms",
    "ModelData",
    "NetworkArms",
    "OrderedArms",
    "Priors",
    "add_arm_effects",
    "add_arms",
    "add_baseline",
    "add_categories",
    "add_category_baselines",
    "add_cutpoints",
    "add_data",
    "add_levels",
    "add_multinomial",
    "add_network_priors",
    "add_ordered_arms",
    "add_priors",
    "add_sampling_errors",
    "add_study_effects",
    "add_trial_baselines",
    "category_coordinates",
    "load_model",
    "log1mexp_with_bounded_slope",
    "log_probabilities",
    "network_coordinates",
    "ordered_coordinates",
    "ordered_log_probabilities",
    "run_as_script",
]


def run_as_script(path: str | os.PathLike[str]) -> None:
    """Fit the model in a file to the table of studies named on the command line: ``python models/binary_rr.py studies.csv``.

    NUTS fits the model and its summary is printed; for a model of this package, also a comparison with quadrature. ``--help`` lists the
    options. The process ends with the exit code of the command.

    Parameters
    ----------
    path : str or path
        Path of the model file, usually ``__file__``.
    """
    # imported by name: reading a model file must not import the command line
    import_module("bayesmeta.cli.fit").run_model_file(os.fspath(path))
