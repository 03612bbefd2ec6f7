"""What a run used: measures, methods, likelihoods, engines, priors and models, as its results show."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bayesmeta.posterior.method import AVERAGED, parse_method
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.results.methods import COMMON_TAU, FREQUENTIST
from bayesmeta.reviews.documents.sentences import named
from bayesmeta.reviews.report.headings import Row, main_rows, prior_set, shared_level
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review


@dataclass(frozen=True, eq=False)
class Facts:
    """What a run used; only what its results contain counts as used.

    Parameters
    ----------
    review : Review
        The review.
    results : tuple of AnalysisResult
        Its results.
    versions : mapping of str to str
        Versions of the software that made the results.
    """

    review: Review
    results: tuple[AnalysisResult, ...]
    versions: Mapping[str, str]

    @cached_property
    def measures(self) -> dict[str, list[str]]:
        """The effect measures, each with the ids of its analyses."""
        found: dict[str, list[str]] = {}
        known = {analysis.id: self.review.as_analysis(analysis).measure for analysis in self.review.every_analysis}
        for result in self.results:
            found.setdefault(known[result.id], []).append(result.id)
        return found

    @property
    def level(self) -> str:
        """The level of all intervals with a space after it, ``"95% "``; "" where levels differ."""
        level = shared_level(self.review)
        return "" if level is None else f"{100 * level:g}% "

    @cached_property
    def ids(self) -> set[str]:
        """The ids of the analyses that have a result."""
        return {result.id for result in self.results}

    @cached_property
    def apart(self) -> set[str]:
        """The ids of networks and outcomes with categories, which texts describe apart."""
        return {one.id for one in self.review.network} | {one.id for one in self.review.categories}

    @cached_property
    def rows(self) -> list[Row]:
        """The rows of one pooled effect."""
        return [row for result in self.results for row in main_rows(result)]

    @cached_property
    def frequentist(self) -> list[str]:
        """The frequentist methods of pooled effects of independent studies, in the order of comparisons."""
        pairwise = [row for result in self.results for row in result.rows if not self._model(row)]
        used = {row["method"] for row in pairwise if not is_missing(row.get("estimate"))}
        return [name for name in FREQUENTIST if name in used]

    @cached_property
    def likelihoods(self) -> list[str]:
        """The likelihoods of the Bayesian models of one pooled effect and beyond it, in their order."""
        return list(dict.fromkeys(found.likelihood for found in self._bayesian(self.apart)))

    @cached_property
    def engines(self) -> set[str]:
        """The engines of the Bayesian models."""
        return {found.engine for found in self._bayesian()} - {AVERAGED}

    @cached_property
    def averages(self) -> bool:
        """Whether there are averages over models."""
        return any(found.engine == AVERAGED for found in self._bayesian())

    @cached_property
    def alternatives(self) -> dict[str, dict[str, str]]:
        """The sets of alternative priors with results: name to measure to the priors as stated."""
        used = {prior_set(str(row["method"])) for result in self.results for row in result.rows} - {""}
        found: dict[str, dict[str, str]] = {}
        for one in self.review.alternative:
            if one.name in used:
                stated = ", ".join(f"{name} ~ {text}" for name, text in one.given().items())
                measure = f"{one.measure}, {one.comparison}" if one.comparison else one.measure
                found.setdefault(one.name, {})[measure] = stated
        return found

    @cached_property
    def priors(self) -> dict[str, list[tuple[str, list[str]]]]:
        """The main priors as used: measure to texts, each with the ids of the analyses that have it; without those described apart."""
        known = {name: measure for measure, names in self.measures.items() for name in names}
        found: dict[str, dict[str, list[str]]] = {}
        for result in self.results:
            for text in dict.fromkeys(result.priors.values()) if result.id not in self.apart else ():
                found.setdefault(known[result.id], {}).setdefault(text, []).append(result.id)
        return {measure: list(texts.items()) for measure, texts in found.items()}

    @cached_property
    def _prior_origins(self) -> dict[str, dict[str, dict[bool, list[str]]]]:
        """Measure to parameter to whether its main prior was stated, in review.toml, to the ids of the analyses."""
        known = {analysis.id: self.review.as_analysis(analysis) for analysis in self.review.every_analysis}
        found: dict[str, dict[str, dict[bool, list[str]]]] = {}
        for result in self.results:
            if result.id in self.apart:
                continue
            analysis = known[result.id]
            of_review = self.review.priors.get(analysis.measure)
            stated = {*analysis.priors, *(of_review.given() if of_review else ())}
            stated |= {"tau", "tau2"} if stated & {"tau", "tau2"} else set()
            for name in dict.fromkeys(re.findall(r"(\w+) ~ ", ", ".join(result.priors.values()))):
                found.setdefault(analysis.measure, {}).setdefault(name, {}).setdefault(name in stated, []).append(
                    result.id
                )
        return found

    @property
    def stated_priors(self) -> bool:
        """Whether review.toml states some of the main priors."""
        return any(True in origins for names in self._prior_origins.values() for origins in names.values())

    @cached_property
    def default_priors(self) -> list[str]:
        """Which of the main priors are the program's defaults: ``"OR"``, or ``"mu (SMD)"`` where others of the measure are stated."""
        found: list[str] = []
        for measure, names in self._prior_origins.items():
            if all(True not in origins for origins in names.values()):
                found.append(measure)
                continue
            for name, origins in names.items():
                if False in origins:
                    where = f", {named(origins[False])}" if True in origins else ""
                    found.append(f"{name} ({measure}{where})")
        return found

    def models(self, kind: str) -> Iterator[tuple[AnalysisResult, Mapping[str, Any]]]:
        """Yield the models of a kind ("moderators", "subgroups", "dependence"), each with the result that has it."""
        for result in self.results:
            for model in result.models:
                if model["kind"] == kind:
                    yield result, model

    def methods_of(self, kind: str) -> set[str]:
        """Return the methods of the rows of the models of a kind, without the marks of a common tau."""
        names = {(result.id, model["model"]) for result, model in self.models(kind)}
        return {
            str(row["method"]).removesuffix(COMMON_TAU)
            for result in self.results
            for row in result.rows
            if (result.id, self._model(row)) in names
        }

    def with_common_tau(self) -> bool:
        """Whether subgroups were also pooled with one tau."""
        return any(str(row["method"]).endswith(COMMON_TAU) for result in self.results for row in result.rows)

    def any_column(self, name: str) -> bool:
        """Whether some row of a pooled effect has a value in a column."""
        return any(not is_missing(row.get(name)) for row in self.rows)

    def studies_with(self, column: str, text: str = "") -> int:
        """Return in how many rows of studies a column contains a text; with no text, how many have a value in it."""
        rows = [row for result in self.results for row in result.studies]
        if not text:
            return sum(not is_missing(row.get(column)) for row in rows)
        return sum(text in str(row.get(column) or "") for row in rows)

    @staticmethod
    def _model(row: Row) -> str:
        return "" if is_missing(row.get("model")) else str(row["model"])

    def _bayesian(self, without: Collection[str] = ()) -> list[Any]:
        """Return the Bayesian methods of all rows under the main priors, but for those of some analyses."""
        found = (
            parse_method(str(row["method"]).removesuffix(COMMON_TAU))
            for result in self.results
            for row in result.rows
            if result.id not in without
        )
        return [one for one in found if one is not None and not one.priors]
