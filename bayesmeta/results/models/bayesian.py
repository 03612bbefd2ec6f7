"""Bayesian fits of the models of an analysis beyond one pooled effect."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial

from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.model.likelihoods.collect import NO_STUDY
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.results.methods import likelihood_label
from bayesmeta.results.models.bayesian_fits import NORMAL, BayesianChoice, exact_with, fit_model
from bayesmeta.results.models.bayesian_groups import SharedFits, common_groups, nested_groups, separate_groups
from bayesmeta.results.models.bayesian_rows import evidence_by_term, little_learned, model_posterior_rows, with_evidence
from bayesmeta.results.models.given import DEPENDENCE, MODERATORS, SUBGROUPS, ModelInput, Rows, one_line
from bayesmeta.results.models.moderators import prepared_moderators
from bayesmeta.results.models.priors import check_prior_names


@dataclass(frozen=True, eq=False)
class FittedModel:
    """The fits of one model by one likelihood.

    Parameters
    ----------
    kind, model : str
        As in the entries of models: "moderators" or "dependence", and the formula or nesting.
    fits : tuple of Posterior
        By each engine.
    """

    kind: str
    model: str
    fits: tuple[Posterior, ...]


@dataclass
class BayesianResults:
    """Rows of the Bayesian models of an analysis, the fits, and what a reader must know, by kind and model."""

    rows: Rows = field(default_factory=list)
    fitted: list[FittedModel] = field(default_factory=list)
    notes: dict[tuple[str, str], list[str]] = field(default_factory=dict)

    def note(self, kind: str, model: str, text: str) -> None:
        """Add a note to a model, once."""
        known = self.notes.setdefault((kind, model), [])
        if text not in known:
            known.append(text)

    def noted_rows(self) -> Rows:
        """Return the rows, the first of each model with what a reader must know of it."""
        notes = {model: "; ".join(texts) for (_, model), texts in self.notes.items()}
        return [
            {**row, "note": "; ".join(filter(None, [row.get("note"), notes.pop(row["model"], "")]))}
            for row in self.rows
        ]


Fit = Callable[[ModelInput, BayesianChoice, str, BayesianResults], None]


def bayesian_models(given: ModelInput, choice: BayesianChoice, errors: list[str] | None = None) -> BayesianResults:
    """Fit every wanted model by each likelihood.

    Models of dependent estimates have the normal likelihood, whichever are wanted. Subgroups are fitted by one engine, the exact one
    where it is among those wanted; other models by each that takes them.

    Parameters
    ----------
    given : ModelInput
        Estimates, columns and what is wanted.
    choice : BayesianChoice
        Likelihoods, priors and engines.
    errors : list of str, optional
        Receives a line about each fit that fails; by default the first failure is raised.

    Returns
    -------
    BayesianResults
        Rows with ``model`` and ``group``, on the scale of ``choice``; differences of groups are on the model scale.

    Raises
    ------
    SpecError
        For a prior of what is neither a parameter nor a coefficient, also where ``errors`` receives failures.
    """
    check_prior_names(given, [name for priors in choice.priors.values() for name in priors])
    results = BayesianResults()
    if given.nested:
        choice = replace(choice, priors={NORMAL: choice.priors.get(NORMAL, next(iter(choice.priors.values()), {}))})
    for likelihood in choice.priors:
        for kind, model, fit in _tasks(given):
            try:
                fit(given, choice, likelihood, results)
            except BayesmetaError as error:
                if isinstance(error, DataError) and error.what == NO_STUDY:
                    continue
                if errors is None:
                    raise
                errors.append(f"{kind} '{model}', {likelihood} likelihood: {one_line(str(error))}")
    return results


def _tasks(given: ModelInput) -> Iterable[tuple[str, str, Fit]]:
    """Yield the models to fit: kind, name and function."""
    wanted = given.wanted
    if wanted.nesting is not None:
        yield DEPENDENCE, wanted.nesting, _dependence
    for formula in wanted.formulas:
        yield MODERATORS, formula, _moderators(formula)
    for column in wanted.groupings:
        if given.nested:
            yield SUBGROUPS, column, _groups(column, nested_groups)
            continue
        shared = SharedFits()
        for rows in (separate_groups, common_groups):
            yield SUBGROUPS, column, _groups(column, partial(rows, shared=shared))


def _dependence(given: ModelInput, choice: BayesianChoice, likelihood: str, results: BayesianResults) -> None:
    """Fit the model of dependent estimates without moderators."""
    nesting = str(given.wanted.nesting)
    _add_fits(given, choice, results, (DEPENDENCE, nesting), fit_model(given, choice, likelihood))


def _moderators(formula: str) -> Fit:
    """Return what fits one formula."""

    def fit(given: ModelInput, choice: BayesianChoice, likelihood: str, results: BayesianResults) -> None:
        names = prepared_moderators(given, formula)[1].design.names
        found = fit_model(given, choice, likelihood, formula, names)
        _add_fits(given, choice, results, (MODERATORS, formula), found)
        if exact_with(likelihood, len(names)):
            return
        words = f"{len(names)} coefficients with the {likelihood_label(likelihood)} likelihood"
        if found[0]:
            results.note(MODERATORS, formula, f"{words} were sampled with NUTS: quadrature takes two")
            return
        results.note(
            MODERATORS,
            formula,
            f"The normal likelihood was fitted in place of the {likelihood_label(likelihood)} one, with which quadrature takes two "
            f"coefficients; this model has {len(names)}",
        )
        if NORMAL not in choice.priors:
            priors = {name: prior for name, prior in choice.priors[likelihood].items() if name != "baseline"}
            instead = replace(choice, priors={NORMAL: priors})
            _add_fits(given, instead, results, (MODERATORS, formula), fit_model(given, instead, NORMAL, formula, names))

    return fit


def _add_fits(
    given: ModelInput,
    choice: BayesianChoice,
    results: BayesianResults,
    of: tuple[str, str],
    found: tuple[list[Posterior], list[str]],
) -> None:
    """Add the rows of the fits of a model, with the evidence for its parts from the exact one."""
    fits, failures = found
    kind, model = of
    for failure in failures:
        results.note(kind, model, failure)
    if not fits:
        return
    evidence = evidence_by_term(fits[0])
    for posterior in fits:
        rows = with_evidence(model_posterior_rows(posterior, given, choice, model), evidence)
        results.rows += rows
    if kind == MODERATORS and (sentence := little_learned(fits[0], rows)):
        results.note(kind, model, sentence)
    results.fitted.append(FittedModel(kind, model, tuple(fits)))


def _groups(column: str, rows_of: Callable[[ModelInput, BayesianChoice, str, str], tuple[Rows, list[str]]]) -> Fit:
    """Return what fits the groups of a column."""

    def fit(given: ModelInput, choice: BayesianChoice, likelihood: str, results: BayesianResults) -> None:
        rows, notes = rows_of(given, choice, likelihood, column)
        results.rows += rows
        for note in notes:
            results.note(SUBGROUPS, column, note)

    return fit
