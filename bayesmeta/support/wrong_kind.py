"""What draws which result: the error for a result of another kind names what a function takes, and what to call instead."""

from __future__ import annotations

from collections.abc import Mapping

from bayesmeta.errors import SpecError

_NETWORKS = ("network_forest", "league_heat", "rankogram", "node_split_plot", "network_plot")
_DATA_OF_NETWORKS = ("network_plot", "transitivity_plot")
#: by the name of its class: what a result is, and the functions that draw it
DRAWN_BY: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "Posterior": ("a posterior", ("forest", "tau_plot", "prior_posterior_plot", "bubble")),
    "Effects": ("effects", ("forest",)),
    "StudyTable": ("a study table", ("forest",)),
    "Regression": ("a meta-regression", ("bubble", "coefficient_forest")),
    "Multilevel": ("a multilevel model", ("forest", "bubble", "coefficient_forest")),
    "Subgroups": ("subgroups", ("subgroup_forest",)),
    "SubgroupFits": ("fits of subgroups", ("subgroup_forest",)),
    "PriorPosterior": ("a comparison of priors and posteriors", ("prior_posterior_plot",)),
    "ComparisonAdjusted": ("comparison-adjusted effects", ("comparison_adjusted_funnel",)),
    "NetworkPosterior": ("a network", (*_NETWORKS, "leverage_plot")),
    "NetworkMeta": ("a network", (*_NETWORKS, "net_heat_plot", "contribution_plot")),
    "ComponentNetwork": ("a network of components", ("component_forest",)),
    "ArmTable": ("a table of arms", _DATA_OF_NETWORKS),
    "ContrastTable": ("a table of contrasts", _DATA_OF_NETWORKS),
    "NetworkContrasts": ("contrasts of a network", _DATA_OF_NETWORKS),
    "ThresholdAnalysis": ("a threshold analysis", ("threshold_plot",)),
}
#: results that no function draws, with what to do
UNDRAWN: Mapping[str, tuple[str, str]] = {
    "RandomEffects": ("a pooled result", "forest draws the studies it was computed from"),
    "CommonEffect": ("a pooled result", "forest draws the studies it was computed from"),
    "ModelAverage": ("an average of models", "forest and tau_plot draw the posterior of each of its models, in fits"),
    "ModeratorAverage": (
        "an average of models",
        "coefficient_forest and bubble draw the fit of a model with moderators",
    ),
    "BiasAdjusted": ("bias-adjusted results", "forest draws the studies they were computed from"),
    "CategoryFit": ("a fit of categories", "summary() has its numbers"),
}


def wrong_kind(function: str, takes: str, got: object) -> SpecError:
    """Return the error for a result of a kind that a function does not take.

    Parameters
    ----------
    function : str
        Name of the function.
    takes : str
        What it takes.
    got : object
        What it was given.

    Examples
    --------
    >>> print(wrong_kind("tau_plot", "a posterior, as fit returns it", 3))
    tau_plot takes a posterior, as fit returns it, but got int
    """
    name = type(got).__name__
    if name in UNDRAWN:
        what, advice = UNDRAWN[name]
        return SpecError(f"{function} takes {takes}, but got {what} ({name}); {advice}")
    if name not in DRAWN_BY:
        return SpecError(f"{function} takes {takes}, but got {name}")
    what, functions = DRAWN_BY[name]
    others = [one for one in functions if one != function]
    advice = f"; use {' or '.join([', '.join(others[:-1]), others[-1]] if others[1:] else others)}" if others else ""
    return SpecError(f"{function} takes {takes}, but got {what} ({name}){advice}")


def is_result(given: object) -> bool:
    """Return whether something is a result or a table of this package that some function draws, or that none does."""
    return type(given).__name__ in {*DRAWN_BY, *UNDRAWN}
