"""Networks without each study in turn: refits of the same model, and what each study contributes to the contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.checks.influence import ALL, effect_numbers, with_shifts
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.terms import new_outcome_term
from bayesmeta.errors import BayesmetaError, DataError, unknown_name
from bayesmeta.networks.arm_level import guide_of_arms, typical_tau
from bayesmeta.networks.exact import solve_network
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.graph import NetworkGraph
from bayesmeta.networks.network_data import NetworkContrasts
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.summary import graph_of
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.scale import on_scale
from bayesmeta.support.arguments import check_level

if TYPE_CHECKING:
    import pandas as pd

#: below it a singular value, or a difference of coordinates, is 0
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class WithoutStudy:
    """A network without one study.

    Parameters
    ----------
    study : str
        The study.
    net : NetworkPosterior or None
        The same model fitted to the others; None where they do not determine it.
    parts : tuple of frozenset of str
        Treatments that the others still compare with each other, directly or indirectly; one set where all are.
    reason : str
        Why there is no fit, or which treatments are not connected; "" where nothing is lost.
    """

    study: str
    net: NetworkPosterior | None
    parts: tuple[frozenset[str], ...]
    reason: str

    def compares(self, *treatments: str) -> bool:
        """Whether the other studies compare these treatments with each other."""
        return self.net is not None and any(set(treatments) <= part for part in self.parts)


def leave_each_out(net: NetworkPosterior) -> list[WithoutStudy]:
    """Fit the same model without each study in turn: by quadrature, or by NUTS, which takes its time for each study.

    All treatments keep their place and their prior, also those that a study alone has, so that the difference of two log marginal
    likelihoods is the log predictive density of the study.

    Parameters
    ----------
    net : NetworkPosterior
        From ``network``.

    Raises
    ------
    DataError
        If there are fewer than two studies.
    """
    graph = graph_of(net)
    if len(graph.studies) < 2:
        raise DataError("leaving a study out needs at least two studies", fix="there is 1 study here")
    return [fit_without(net, study, graph) for study in graph.studies]


def fit_without(net: NetworkPosterior, study: str, graph: NetworkGraph | None = None) -> WithoutStudy:
    """Fit the same model without one study.

    Parameters
    ----------
    net : NetworkPosterior
        From ``network``.
    study : str
        The study.
    graph : NetworkGraph, optional
        Graph of the network; computed by default.
    """
    graph = graph_of(net) if graph is None else graph
    parts = _compared(net, [arms for name, arms in zip(graph.studies, graph.arms, strict=True) if name != study])
    kept = max(parts, key=len)
    lost = ", ".join(name for name in net.treatments if name not in kept)
    reason = f"not connected without it: {lost}" if lost else ""
    if lost and not isinstance(net.solution, NetworkSolution):
        return WithoutStudy(study, None, parts, reason)
    try:
        return WithoutStudy(
            study, (_exact if isinstance(net.solution, NetworkSolution) else _sampled)(net, study), parts, reason
        )
    except BayesmetaError as error:
        return WithoutStudy(study, None, parts, reason or " ".join(str(error).split()))


def _compared(net: NetworkPosterior, studies: Sequence[tuple[int, ...]]) -> tuple[frozenset[str], ...]:
    """Return the treatments that studies with these arms compare with each other, directly, indirectly or by their components."""
    names, matrix = net.treatments, np.eye(len(net.treatments))
    if net.components is not None:
        matrix = net.components.matrix
    rows = [matrix[arm] - matrix[arms[0]] for arms in studies for arm in arms[1:]]
    values, directions = np.linalg.svd(np.array(rows))[1:]
    # what the studies do not determine: two treatments differ in nothing of it if they are compared
    free = matrix @ directions[int((values > TOLERANCE).sum()) :].T
    found: list[list[int]] = []
    for i in range(len(names)):
        same = next((part for part in found if np.allclose(free[i], free[part[0]], atol=TOLERANCE)), None)
        if same is None:
            found.append([i])
        else:
            same.append(i)
    return tuple(frozenset(names[i] for i in part) for part in found)


def without_study(contrasts: NetworkContrasts, study: str) -> tuple[NetworkContrasts, np.ndarray]:
    """Return a network without a study, with all its treatments in their places, and which rows are left, bool of shape (m,)."""
    at = contrasts.studies.index(study)
    gone = contrasts.slices[at]
    size = gone.stop - gone.start
    kept = np.ones(contrasts.m, dtype=bool)
    kept[gone] = False
    slices = tuple(
        slice(rows.start - size, rows.stop - size) if rows.start > gone.start else rows
        for i, rows in enumerate(contrasts.slices)
        if i != at
    )
    arms = contrasts.arms
    if arms is not None:
        arms = arms.take([row for row, name in enumerate(arms.studies) if name != study])
    return replace(
        contrasts, studies=contrasts.studies[:at] + contrasts.studies[at + 1 :], y=contrasts.y[kept], treat=contrasts.treat[kept],
        base=contrasts.base[kept], S=contrasts.S[np.ix_(kept, kept)], slices=slices, arms=arms,
    ), kept  # fmt: skip


def _exact(net: NetworkPosterior, study: str) -> NetworkPosterior:
    contrasts, kept = without_study(net.contrasts, study)
    further = net.further
    if further is not None:
        further = replace(further, columns=further.columns[kept])
    solution = solve_network(contrasts, net.priors, net.solution.reference, further, net.components)
    return replace(net, contrasts=contrasts, solution=solution, further=further)


def _sampled(net: NetworkPosterior, study: str) -> NetworkPosterior:
    """Sample the arms of the other trials, among them those without a contrast, such as trials without events."""
    from bayesmeta.engines.nuts.network_arms import network_arms
    from bayesmeta.engines.nuts.network_sampling import sample_network
    from bayesmeta.networks.sampled_solution import SampledNetwork

    solution = net.solution
    assert isinstance(solution, SampledNetwork)
    arms, at = solution.arms, solution.arms.trials.index(study)
    kept = arms.trial != at
    columns = {name: values[kept] for name, values in arms.columns.items()}
    others = network_arms(
        arms.measure, arms.likelihood, arms.treatments, arms.reference, arms.trials[:at] + arms.trials[at + 1 :],
        arms.trial[kept] - (arms.trial[kept] > at), arms.treatment[kept], columns, guide_of_arms(arms.measure, columns), arms.prior,
        typical_tau(net.priors),
    )  # fmt: skip
    contrasts = without_study(net.contrasts, study)[0] if study in net.contrasts.studies else net.contrasts
    drawn = sample_network(others, net.priors.scale, net.seed)
    return replace(
        net, contrasts=contrasts, solution=SampledNetwork(others, drawn, solution.typical_variance, solution.seed)
    )


def influence(
    net: NetworkPosterior,
    *,
    terms: Sequence[str] | str | None = None,
    level: float = 0.95,
    scale: str = "model",
    better: str | None = None,
    mid: Mid | None = None,
    without: Sequence[WithoutStudy] | None = None,
) -> pd.DataFrame:
    """Return contrasts without each study in turn; see ``NetworkPosterior.influence``."""
    import pandas as pd

    check_level(level)
    pairs = {f"{a} vs {b}": (a, b) for a in net.treatments for b in net.treatments if a != b}
    basic = [name for name, (_, b) in pairs.items() if b == net.reference]
    wanted = basic if terms is None else [terms] if isinstance(terms, str) else list(terms)
    for term in wanted:
        if term not in pairs:
            raise unknown_name("contrast", term, pairs)
    side = net.better if better is None else better
    fits = leave_each_out(net) if without is None else without
    found = []
    for term in wanted:
        rows: list[dict[str, float]] = []
        means, notes = [], []
        for one in (None, *fits):
            fitted = net if one is None else one.net
            notes.append("" if one is None else one.reason)
            if fitted is None or (one is not None and not one.compares(*pairs[term])):
                rows.append({})
                means.append(np.nan)
                continue
            effect, new = (fitted.marginal(name) for name in (term, new_outcome_term(term)))
            rows.append(effect_numbers(fitted, net.measure, effect, new, level=level, better=side, mid=mid))
            means.append(float(effect.mean()[0]))
        names = pd.MultiIndex.from_product([[term], [ALL, *(one.study for one in fits)]], names=["term", "left_out"])
        frame = with_shifts(pd.DataFrame(rows, index=names), np.array(means), float(net.marginal(term).sd()[0]))
        found.append(on_scale(frame.assign(note=notes), scale, MEASURES[net.measure].log))
    return pd.concat(found)
