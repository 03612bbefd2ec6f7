"""What a fit with moderators says beside its numbers, and the priors it names."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError

YI, VI = [-0.9, -0.2, -0.4, 0.1, 0.3, 0.2, -0.1, 0.4], [0.1, 0.2, 0.1, 0.15, 0.2, 0.1, 0.05, 0.1]
FRAME = pd.DataFrame({"dose": [1.0, 2, 2, 3, 5, 4, 3, 6], "rob": list("lhlhlhll"), "study": list("aabbccdd")})


def fit(formula: str, **options: object) -> bm.Posterior:
    data = FRAME if "nesting" in options else FRAME[["dose", "rob"]]
    return bm.fit(yi=YI, vi=VI, measure="RR", data=data, moderators=formula, **options)


def test_the_intercept_and_the_effect_at_the_means_are_explained() -> None:
    notes = fit("~ dose + rob").notes
    assert notes[0] == "Intercept: the effect where dose is 0 and rob is h"
    assert set(notes[1].removeprefix("effect_at_means: the effect where ").split(", ")) == {
        "rob[T.l] = 0.625",
        "dose = 3.25",
    }
    assert "a ratio of ratios" in notes[2]
    assert notes[3] == "the prior mu ~ Normal(0, 2.82) is that of effect_at_means"
    assert bm.summarize(fit("~ dose + rob")).attrs["notes"] == notes
    assert bm.summarize(fit("~ dose + rob"), scale="natural").attrs["notes"] == notes


def test_what_was_left_out_and_dependence_are_named() -> None:
    gaps = FRAME.assign(dose=[np.nan, *FRAME["dose"][1:]])
    options = {"yi": YI, "vi": VI, "data": gaps, "moderators": "~ dose", "drop_missing": True}
    assert "'1' is left out: dose missing" in bm.fit(**options).notes
    nested = fit("~ dose", nesting="study/estimate")
    assert nested.notes[0].startswith("normal likelihood")
    assert any("differ" in note or "mixes" in note for note in nested.notes)
    assert bm.fit(yi=YI, vi=VI).notes == ()


def test_a_fit_says_that_it_was_sampled() -> None:
    counts = pd.DataFrame(
        {
            "events_e": [1, 3, 4, 5, 6, 2], "n_e": 50, "events_c": [2, 6, 5, 9, 7, 8], "n_c": 50,
            "dose": [1.0, 2, 3, 4, 5, 6], "rob": list("lhlhlh"),
        }
    )  # fmt: skip
    post = bm.fit(counts, measure="OR", moderators="~ dose + rob")
    assert post.engine == "nuts"
    assert post.notes[0].startswith("3 coefficients with likelihood 'binomial' were sampled with NUTS")
    one = bm.fit(counts, measure="OR", moderators="~ 0 + dose", priors={"dose": "Normal(0, 1)"})
    assert one.engine == "quadrature"
    assert bm.fit(counts, measure="OR", moderators="~ dose").engine == "quadrature"


def test_priors_are_those_of_the_model() -> None:
    assert fit("~ dose").priors.to_dict() == {
        "mu": "Normal(0, 2.82)", "dose": f"Normal(0, {0.5 / FRAME['dose'].std():.3g})", "tau": "HalfNormal(0.5)",
    }  # fmt: skip
    literal = fit("~ dose", priors={"Intercept": "Normal(0, 0.5)"})
    assert "mu" not in literal.priors.to_dict()
    assert not any("prior mu" in note for note in literal.notes)
    groups = fit("~ 0 + rob")
    assert groups.priors.to_dict() == {"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"}
    with pytest.raises(SpecError, match="both mu and Intercept"):
        fit("~ dose", priors={"Intercept": "Normal(0, 0.5)", "mu": "Normal(0, 1)"})


def test_the_default_prior_does_not_depend_on_the_origin_of_a_moderator() -> None:
    one, other = fit("~ dose"), bm.fit(
        yi=YI, vi=VI, measure="RR", data={"dose": FRAME["dose"] + 1900}, moderators="~ dose"
    )  # fmt: skip
    for term in ("dose", "effect_at_means", "tau"):
        np.testing.assert_allclose(other.interval(term), one.interval(term), rtol=1e-6)
    assert other.log_marginal_likelihood == pytest.approx(one.log_marginal_likelihood, abs=1e-7)


def test_each_indicator_has_the_prior_for_mu() -> None:
    post = fit("~ 0 + rob", priors={"mu": "Normal(0, 0.3)", "tau": "Point(0)"})
    for name, label in (("rob[h]", "h"), ("rob[l]", "l")):
        rows = FRAME["rob"] == label
        precision = 1 / 0.3**2 + (1 / np.array(VI)[rows]).sum()
        assert post.sd(name) == pytest.approx(precision**-0.5)
        assert post.mean(name) == pytest.approx((np.array(YI) / np.array(VI))[rows].sum() / precision)


def test_slopes_of_ratios_are_ratios_of_ratios_on_the_natural_scale() -> None:
    post = fit("~ dose")
    natural = bm.summarize(post, scale="natural")
    for term in ("Intercept", "dose", "effect_at_means"):
        assert natural.loc[term, "median"] == pytest.approx(np.exp(post.quantile(term, 0.5)))
    assert natural.loc["tau", "median"] == pytest.approx(post.quantile("tau", 0.5))
    draws = np.exp(post.draws["posterior"]["dose"].values)
    assert natural.loc["dose", "mean"] == pytest.approx(draws.mean(), rel=0.01)


@pytest.mark.parametrize("scale", ["model", "natural"])
def test_numbers_of_coefficients(scale: str) -> None:
    post = fit("~ dose + rob")
    frame = bm.summarize(post, scale=scale, better="lower", mid=0.8)
    assert np.isfinite(frame.loc[["Intercept", "dose", "rob[T.l]", "effect_at_means"], "prob_benefit"]).all()
    assert post.cdf("dose", post.quantile("dose", 0.3)) == pytest.approx(0.3)
    assert post.sample("rob[T.l]", 50).shape == (50,)
