"""The methods paragraph of a paper, written from what a run used."""

from __future__ import annotations

from bayesmeta.effects.measures import MEASURES
from bayesmeta.frequentist.names import CI_METHODS
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.methods_bayes import bayesian_section, sensitivity_section
from bayesmeta.reviews.documents.methods_categories import categories_section
from bayesmeta.reviews.documents.methods_evidence import bias_section, certainty_section
from bayesmeta.reviews.documents.methods_models import dependence_section, moderator_section
from bayesmeta.reviews.documents.methods_networks import network_section
from bayesmeta.reviews.documents.sentences import Section, Sentence, cited, listed, named
from bayesmeta.support.words import plural

#: works that describe the frequentist methods, by the estimator or method they name
ESTIMATORS: dict[str, str] = {
    "DL": "DerSimonian1986", "DL-MH": "DerSimonian1986", "PM": "Paule1982", "REML": "Viechtbauer2005", "ML": "Viechtbauer2005",
    "EB": "Morris1983", "SJ": "Sidik2005", "HE": "Hedges1983", "HS": "Schmidt2015", "MH": "Mantel1959", "Peto": "Yusuf1985",
}  # fmt: skip
#: what was done about zero cells, by the name of the rule
ZERO_CELLS: dict[str, str] = {
    "revman": "0.5 was added to all four cells of studies with a zero cell, and studies without events in both arms were not pooled as "
    "ratios of risks or odds, as in Review Manager",
    "metafor": "0.5 was added to all four cells of studies with a zero cell, also where neither arm had an event",
    "metafor_drop00": "0.5 was added to all four cells of studies with a zero cell, and studies with no events, or only events, in both "
    "arms were left out",
    "all": "0.5 was added to all four cells of every study",
    "none": "nothing was added to zero cells, and studies whose effect or variance is then undefined were not pooled",
}
_IN_SENTENCES = {"Maximum likelihood": "maximum likelihood", "Empirical Bayes": "empirical Bayes"}


def methods_text(facts: Facts) -> tuple[Section, ...]:
    """Return the paragraphs of the methods: only what the run used, each with the works that describe it."""
    made = (
        _effects(facts),
        _pooling(facts),
        bayesian_section(facts),
        dependence_section(facts),
        moderator_section(facts),
        network_section(facts),
        categories_section(facts),
        bias_section(facts),
        certainty_section(facts),
        sensitivity_section(facts),
        _software(facts),
    )
    return tuple(section for section in made if section.sentences)


def _effects(facts: Facts) -> Section:
    options = facts.review.options
    # outcomes with several categories are described apart, and have no effect measure that a user chose
    categories = {one.id for one in facts.review.categories}
    measures = {name: [one for one in ids if one not in categories] for name, ids in facts.measures.items()}
    measures = {name: ids for name, ids in measures.items() if ids}
    found: list[Sentence] = []
    names = [
        f"{MEASURES[name].phrase} ({name}, {plural(len(ids), 'analysis', 'analyses')})"
        for name, ids in measures.items()
    ]
    ratios = [name for name in measures if MEASURES[name].log]
    scale = f"; ratios ({', '.join(ratios)}) were pooled as logarithms" if ratios else ""
    if names:
        found.append(
            cited(
                f"The {'effect measures were the' if len(names) > 1 else 'effect measure was the'} {listed(names)}{scale}."
            )
        )
    if "SMD" in facts.measures and facts.studies_with("mean_e"):
        how = (
            "with the exact correction for small samples"
            if options.smd == "exact"
            else "by the formulas of Review Manager"
        )
        found.append(cited(f"Standardized mean differences were computed as Hedges' g {how}.", "Hedges1981"))
    if "ROM" in facts.measures and facts.studies_with("mean_e"):
        corrected = options.rom == "corrected"
        how = ", corrected for the bias of small samples" if corrected else ""
        keys = ("Hedges1999", "Lajeunesse2015") if corrected else ("Hedges1999",)
        found.append(cited(f"Ratios of means were analysed as log response ratios{how}.", *keys))
    changed = facts.studies_with("note", "0.5 added")
    if facts.studies_with("events_e"):
        many = (
            plural(changed, "study result was changed", "study results were changed")
            if changed
            else "this changed none"
        )
        how_many = "" if options.zero_cells == "none" else f" ({many})"
        found.append(
            cited(
                f"For effects computed from counts, {ZERO_CELLS[options.zero_cells]}{how_many}.",
                *(["Sweeting2004"] if changed else []),
            )
        )
    found += [*_left_out(facts), *_levels(facts)]
    return Section("Effect measures", tuple(found))


def _levels(facts: Facts) -> list[Sentence]:
    """Return the sentence on the levels of intervals where analyses differ; other sentences name one that all have."""
    if facts.level:
        return []
    levels: dict[float, list[str]] = {}
    for one in facts.review.every_analysis:
        if one.id in facts.ids:
            levels.setdefault(facts.review.level_of(one), []).append(one.id)
    texts = [f"{100 * level:g}% ({named(ids)})" for level, ids in sorted(levels.items(), reverse=True)]
    return [cited(f"The levels of confidence and credible intervals are {listed(texts)}.")] if texts else []


def _left_out(facts: Facts) -> list[Sentence]:
    """Return the sentence on study results without an estimate, some of which likelihoods of counts can pool; none if there are none."""
    rows = [row for result in facts.results for row in result.studies if " " in str(row.get("reason") or "")]
    if not rows:
        return []
    many = plural(len(rows), "study result", "study results")
    by_counts = sum(not is_missing(row.get("theta")) for row in rows)
    text = f"{many} could not be pooled"
    if by_counts:
        pronoun = "it" if len(rows) == 1 else "they"
        whose = pronoun if by_counts == len(rows) else f"{by_counts} of them"
        be = "is" if by_counts == 1 else "are"
        text += f" by methods that need an estimate; {whose} {be} pooled by the likelihood of the counts"
    each = "it" if len(rows) == 1 else "each"
    return [cited(f"{text}; {each} stays in the table of studies with the reason.")]


def _pooling(facts: Facts) -> Section:
    used = [FREQUENTIST[name] for name in facts.frequentist]
    if not used:
        return Section("Frequentist meta-analysis", ())
    found: list[Sentence] = []
    random = [
        one for one in used if one.name in ESTIMATORS and one.name not in ("MH", "Peto", "DL-MH") and one.ci == "wald"
    ]
    if random:
        texts, keys = [], []
        for one in random:
            texts.append(f"{_IN_SENTENCES.get(one.label, one.label)}{{}}")
            keys.append((ESTIMATORS[one.name],))
        found.append(
            Sentence(
                f"Random-effects models weighted studies by inverse variance; the between-study variance tau2 was estimated by "
                f"{listed(texts)}, with {facts.level}Wald confidence intervals of the mean (normal quantiles).",
                tuple(keys),
            )
        )
    for one in used:
        if one.ci != "wald":
            interval = CI_METHODS[one.ci]
            found.append(
                cited(
                    f"With {one.estimator}, {interval.label} confidence intervals were computed too: t quantiles with "
                    f"k - {interval.df_lost} degrees of freedom and a standard error that is never smaller than the unadjusted one.",
                    "Hartung2001", "Sidik2002", "Rover2015",
                )
            )  # fmt: skip
    if any(one.name == "DL-MH" for one in used):
        found.append(
            cited(
                "The DerSimonian-Laird estimate was also computed from Cochran's Q around the Mantel-Haenszel estimate, "
                "as Review Manager does."
            )
        )
    common = [one for one in used if one.name in ("CE", "MH", "Peto")]
    if common:
        words = {"CE": "inverse variance", "MH": "the Mantel-Haenszel method{}", "Peto": "Peto's method{}"}
        keys = [(ESTIMATORS[one.name],) for one in common if one.name in ESTIMATORS]
        found.append(
            Sentence(
                f"Common-effect estimates were computed by {listed([words[one.name] for one in common])}.", tuple(keys)
            )
        )
    found += _uncertainty(facts, {one.ci for one in used})
    return Section("Frequentist meta-analysis", tuple(found))


def _uncertainty(facts: Facts, intervals: set[str]) -> list[Sentence]:
    """Return the sentences on prediction intervals, intervals of tau2, and I2."""
    found = []
    rows = [row for row in facts.rows if row["method"] in FREQUENTIST]
    if any(row.get("pi_low") is not None and row["pi_low"] == row["pi_low"] for row in rows):
        guarded = "; beside Hartung-Knapp intervals, k - 1" if intervals - {"wald"} else ""
        found.append(
            cited(f"Prediction intervals used t quantiles with k - 2 degrees of freedom{guarded}.", "Higgins2009")
        )
    if any(row.get("term") == "tau" and row.get("ci_high") == row.get("ci_high") for row in rows):
        found.append(cited("Confidence intervals of tau2 were found by the Q-profile method.", "Viechtbauer2007"))
    if any(row.get("i2") == row.get("i2") for row in rows):
        found.append(cited("Heterogeneity is described by tau and I2.", "Higgins2002"))
    return found


def _software(facts: Facts) -> Section:
    known = facts.versions
    names = [("numpy", "NumPy", "Harris2020"), ("scipy", "SciPy", "Virtanen2020")]
    if "nuts" in facts.engines:
        names += [("pymc", "PyMC", "AbrilPla2023"), ("nutpie", "nutpie", ""), ("arviz", "ArviZ", "")]
    texts = [f"{label} {known.get(name, '')}".strip() + ("{}" if key else "") for name, label, key in names]
    return Section(
        "Software",
        (
            Sentence(
                f"Analyses were made with bayesmeta {known.get('bayesmeta', '')} in Python {known.get('python', '')}, "
                f"with {listed(texts)}.",
                tuple((key,) for _, _, key in names if key),
            ),
        ),
    )
