"""The methods text says what was used, and cites that only."""

import dataclasses
import re

import pytest

from bayesmeta.effects.zero_cells import ZERO_CELL_RULES
from bayesmeta.frequentist.names import COMMON_EFFECT_METHODS
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.reviews.documents.checklist_prisma import sensitivity_methods, sensitivity_results
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.methods import ESTIMATORS, ZERO_CELLS, methods_text
from bayesmeta.reviews.documents.methods_bayes import baseline_sentences
from bayesmeta.reviews.documents.methods_models import _prespecified
from bayesmeta.reviews.documents.references import bibtex, reference_text, works
from bayesmeta.reviews.documents.sentences import Section, Sentence, cited, keys_of, named, paragraph_text
from bayesmeta.reviews.documents.source import DocumentSource

VERSIONS = {"bayesmeta": "1.2", "python": "3.13.0", "numpy": "2.5", "scipy": "1.18", "pymc": "6.4"}


def text_of(facts):
    sections = methods_text(facts)
    works = keys_of(sections)
    return {section.heading: paragraph_text(section, works) for section in sections}, works


@pytest.fixture
def facts(source):
    return Facts(source.review, source.results, VERSIONS)


def without_rows(facts, drop):
    results = [
        dataclasses.replace(result, rows=[row for row in result.rows if not drop(row)]) for result in facts.results
    ]
    return Facts(facts.review, tuple(results), facts.versions)


def test_what_was_used_is_named(facts):
    text, works = text_of(facts)
    assert [name for name in text if name not in ("Risk of bias", "Absolute effects")] == [
        "Effect measures",
        "Frequentist meta-analysis",
        "Bayesian meta-analysis",
        "Moderators and subgroups",
        "Sensitivity analyses",
        "Software",
    ]
    assert "risk ratio (RR, 1 analysis) and standardized mean difference (SMD, 1 analysis)" in text["Effect measures"]
    assert "ratios (RR) were pooled as logarithms" in text["Effect measures"]
    assert "Hedges' g with the exact correction" in text["Effect measures"]
    assert re.search(r"zero cell.* \(1 study result was changed\)", text["Effect measures"])
    assert "1 study result could not be pooled" in text["Effect measures"]
    pooling = text["Frequentist meta-analysis"]
    assert "DerSimonian-Laird [" in pooling
    assert "95% Wald confidence intervals" in pooling
    assert "t quantiles with k - 1 degrees of freedom" in pooling
    assert "k - 2 degrees of freedom" in pooling
    assert "Q-profile" in pooling
    bayes = text["Bayesian meta-analysis"]
    assert "mu ~ Normal(0, 2.82), tau ~ HalfNormal(0.5) (RR, log scale" in bayes
    assert "tau ~ HalfCauchy(0.3) (SMD, natural scale)" in bayes
    assert "the program's defaults are those of RR and mu (SMD), the others were stated for the review" in bayes
    assert "binomial likelihood" in bayes
    assert "The baseline of each study (the logit of a risk) had the program's default prior, Normal(0, 10)." in bayes
    assert "noncentral t" in bayes
    assert "No-U-Turn" not in bayes
    assert "~ dose (analysis 1.1)" in text["Moderators and subgroups"]
    assert "Prespecified: ~ dose" in text["Moderators and subgroups"]
    assert "Turner (RR: tau ~ turner2015(" in text["Sensitivity analyses"]
    assert text["Software"].startswith("Analyses were made with bayesmeta 1.2 in Python 3.13.0, with NumPy 2.5 [")
    assert {"Gelman2006", "Rover2021", "Turner2015", "Stijnen2010", "Hartung2001", "Knapp2003"} <= set(works)
    assert not {"Rhodes2015", "Hoffman2014", "AbrilPla2023", "Yusuf1985", "Konstantopoulos2011"} & set(works)


def with_analysis(facts, **keys):
    first, *others = facts.review.analysis
    review = facts.review.model_copy(update={"analysis": (first.model_copy(update=keys), *others)})
    return Facts(review, facts.results, VERSIONS)


def test_priors_of_an_analysis_are_not_the_defaults(facts):
    """An analysis states priors of its own too; what is neither there nor under [priors] is a default."""
    assert facts.default_priors == ["RR", "mu (SMD)"]
    own = with_analysis(facts, priors={"mu": "Normal(0, 1)", "tau2": "InvGamma(1, 1)"})
    assert own.default_priors == ["mu (SMD)"]
    assert with_analysis(facts, priors={"mu": "Normal(0, 1)"}).default_priors == ["tau (RR)", "mu (SMD)"]
    none = Facts(facts.review.model_copy(update={"priors": {}}), facts.results, VERSIONS)
    assert "they were the program's defaults" in text_of(none)[0]["Bayesian meta-analysis"]


def test_studies_that_a_likelihood_of_counts_pools_are_not_said_to_be_left_out(facts):
    rows = [{"study": "A", "reason": "no events in either arm: RR not estimable", "theta": 0.9}]
    counts = dataclasses.replace(facts.results[0], studies=rows)
    text = text_of(Facts(facts.review, (counts,), VERSIONS))[0]["Effect measures"]
    assert "by methods that need an estimate; it is pooled by the likelihood of the counts" in text
    rows = [*rows, {"study": "B", "reason": "sd is 0", "theta": float("nan")}]
    text = text_of(Facts(facts.review, (dataclasses.replace(counts, studies=rows),), VERSIONS))[0]["Effect measures"]
    assert "2 study results could not be pooled by methods that need an estimate; 1 of them is pooled by" in text


def test_priors_for_baselines_that_are_defaults_are_stated():
    (found,) = baseline_sentences([{"normal": "mu ~ N"}, {"poisson:nuts": "d ~ N"}, {"binomial": "mu ~ N, tau ~ H"}])
    assert found.text.startswith(
        "The baseline of each study (the logit of a risk or the log of a rate) had the program's default"
    )
    assert baseline_sentences([{"normal": "mu ~ N", "binomial": "mu ~ N, baseline ~ Normal(-3, 1)"}]) == []


def test_levels_that_differ_are_stated(facts):
    assert "levels of confidence" not in text_of(facts)[0]["Effect measures"]
    first, second = [one.id for one in facts.review.analysis]
    text = text_of(with_analysis(facts, level=0.9))[0]["Effect measures"]
    assert (
        f"The levels of confidence and credible intervals are 95% (analysis {second}) and 90% (analysis {first})."
        in text
    )


def test_a_rule_that_adds_nothing_changes_nothing(facts):
    options = facts.review.options.model_copy(update={"zero_cells": "none"})
    text = text_of(Facts(facts.review.model_copy(update={"options": options}), facts.results, VERSIONS))[0]
    assert re.search(
        r"whose effect or variance is then undefined were not pooled( \[\d+\])?\. ", text["Effect measures"]
    )


def test_names_of_columns_keep_their_capitals():
    (sentence,) = _prespecified([{"model": "~ Dose + C(Site)", "prespecified": True}, {"model": "FOCUS"}])
    assert sentence.text == "Prespecified: ~ Dose + C(Site); not stated whether prespecified: FOCUS."


def test_what_was_not_used_is_neither_named_nor_cited(facts):
    text, works = text_of(without_rows(facts, lambda row: str(row["method"]).startswith("bayes")))
    assert "Bayesian meta-analysis" not in text
    assert not {"Rover2020", "Gelman2006", "Gronau2021", "Turner2015", "Smith1995"} & set(works)
    assert "Results with" not in text["Sensitivity analyses"]
    text, works = text_of(without_rows(facts, lambda row: row["method"] in ("SJ", "MH", "DL-MH", "REML-HKSJ")))
    assert not {"Sidik2005", "Mantel1959", "Rover2015"} & set(works)
    assert "Hartung-Knapp" not in text["Frequentist meta-analysis"]
    assert "Mantel" not in text["Frequentist meta-analysis"]
    text, works = text_of(without_rows(facts, lambda row: ":averaged" in str(row["method"])))
    assert "Gronau2021" not in works
    assert "averaged" not in str(text)


def test_a_sampled_run_names_the_sampler(facts):
    sampled = [
        dataclasses.replace(
            result, rows=[{**row, "method": str(row["method"]).replace(":quadrature", ":nuts")} for row in result.rows]
        )
        for result in facts.results
    ]
    text, works = text_of(Facts(facts.review, tuple(sampled), VERSIONS))
    assert "Posterior distributions were sampled with the No-U-Turn sampler (seed 1)" in text["Bayesian meta-analysis"]
    assert "deterministic" not in text["Bayesian meta-analysis"]
    assert "PyMC 6.4 [" in text["Software"]
    assert {"Hoffman2014", "Vehtari2021", "AbrilPla2023"} <= set(works)
    both = Facts(facts.review, (*facts.results, *sampled), VERSIONS)
    assert "They were also sampled" in text_of(both)[0]["Bayesian meta-analysis"]


def test_other_sampling_correlations_are_sensitivity_analyses(every_model):
    from bayesmeta.reviews.folder import load_run

    review, results = load_run(every_model.out)
    source = DocumentSource(review, tuple(results))
    assert "other sampling correlations" in sensitivity_methods(source).where
    assert "tables/dependence" in sensitivity_results(source).where


def test_dependent_estimates_are_described(every_model):
    from bayesmeta.reviews.folder import load_run

    review, results = load_run(every_model.out)
    text, works = text_of(Facts(review, tuple(results), VERSIONS))
    assert "were pooled in multilevel models" in text["Dependent estimates"]
    assert "CR2" in text["Dependent estimates"]
    assert {"Konstantopoulos2011", "Hedges2010", "Pustejovsky2018"} <= set(works)
    assert "nan" not in str(text)
    assert "post hoc: " in text["Moderators and subgroups"]


def test_every_number_in_brackets_is_that_of_its_work(facts):
    sections = methods_text(facts)
    works = keys_of(sections)
    for section in sections:
        text = paragraph_text(section, works)
        numbers = {int(number) for found in re.findall(r"\[([\d, ]+)\]", text) for number in found.split(", ")}
        expected = {works.index(key) + 1 for sentence in section.sentences for keys in sentence.cites for key in keys}
        assert numbers == expected
        assert "{}" not in text
        assert text.endswith(".")


def test_analyses_are_named_in_the_singular_and_plural():
    assert named(["1.1", "1.1"]) == "analysis 1.1"
    assert named(["1.1", "1.2"]) == "analyses 1.1, 1.2"
    assert named(map(str, range(9))) == "9 analyses"


def test_sentences():
    section = Section("A", (Sentence("By x{} and y{}.", (("b",), ("a", "c"))), cited("Done.", "b"), cited("Plain.")))
    assert keys_of([section]) == ["b", "a", "c"]
    assert paragraph_text(section, ["b", "a", "c"]) == "By x [1] and y [2, 3]. Done [1]. Plain."


def test_every_method_of_a_comparison_has_its_work():
    assert {method.estimator.replace("PETO", "Peto") for method in FREQUENTIST.values()} <= {*ESTIMATORS, "CE"}
    assert set(COMMON_EFFECT_METHODS) <= set(ESTIMATORS)
    assert set(ESTIMATORS.values()) <= set(works())
    assert set(ZERO_CELLS) == set(ZERO_CELL_RULES)


def test_every_reference_is_complete():
    assert len(works()) > 35
    for key, work in works().items():
        fields = work.fields
        assert {"author", "title", "year"} <= set(fields), key
        assert ("doi" in fields) != ("url" in fields), key
        assert re.fullmatch(r"10\.\d{4,}/\S+", fields.get("doi", "10.1234/x")), key
        assert key.endswith(fields["year"]), key
        family = fields["author"].split(",")[0].translate(str.maketrans("öüć", "ouc")).replace(" ", "").replace("-", "")
        assert key.removesuffix(fields["year"]).lower() == family.lower(), key
        assert work.kind == "book" or {"journal", "volume", "pages"} <= set(fields), key
        assert work.bibtex.count("{") == work.bibtex.count("}")
    assert len({work.fields.get("doi", key) for key, work in works().items()}) == len(works())


def test_references_as_text_and_as_bibtex():
    assert reference_text("Rover2015") == (
        "Röver C, Knapp G, Friede T. Hartung-Knapp-Sidik-Jonkman approach and its modification for random-effects "
        "meta-analysis with few studies. BMC Medical Research Methodology. 2015;15:99. doi:10.1186/s12874-015-0091-1"
    )
    assert reference_text("Page2021").startswith("Page MJ, McKenzie JE, Bossuyt PM, et al. The PRISMA 2020")
    assert "Journal of Business & Economic" in reference_text("Pustejovsky2018")
    assert reference_text("Schmidt2015").endswith("3rd ed. SAGE. 2015. doi:10.4135/9781483398105")
    entries = bibtex(["Rover2015", "Pustejovsky2018"])
    assert entries.startswith("@article{Rover2015,\n  author = {Röver, C. and Knapp, G. and Friede, T.},\n")
    assert r"Business \& Economic" in entries
    assert entries.count("@article") == 2
