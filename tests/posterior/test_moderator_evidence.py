"""Evidence for moderators: models, inclusion Bayes factors by hand, averaged coefficients, priors of submodels, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.effects.design import Design
from bayesmeta.effects.formula_values import Term
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.posterior.moderator_evidence import _arm_model
from bayesmeta.posterior.moderator_models import components_of, models_of

RNG = np.random.default_rng(7)
N = 14
FRAME = pd.DataFrame(
    {"dose": RNG.uniform(1, 9, N), "weeks": RNG.uniform(4, 20, N), "focus": RNG.permutation(["a"] * 6 + ["b"] * 5 + ["c"] * 3)}
)  # fmt: skip
V = RNG.uniform(0.01, 0.08, N)
Y = -0.4 + 0.06 * FRAME["dose"].to_numpy() + RNG.normal(0, np.sqrt(V + 0.02))
PRIORS = {"tau": "HalfNormal(0.5)"}


def fitted(formula, **keywords):
    return bm.fit(yi=Y, vi=V, measure="SMD", data=FRAME, moderators=formula, **{"priors": PRIORS, **keywords})


def term(*factors):
    return Term(":".join(factors) or "Intercept", frozenset(factors), (0,))


def test_an_interaction_comes_with_its_main_effects():
    components = components_of([term(), term("a"), term("b"), term("a", "b"), term("c"), term("a", "b", "c")])
    included, prior = models_of(components)
    names = [one.name for one in components]
    assert names == ["effect", "heterogeneity", "a", "b", "a:b", "c", "a:b:c"]
    frame = pd.DataFrame(included, columns=names)
    # a, b, c: 8 subsets; a:b in the 2 with a and b; a:b:c in the 1 with a:b and c; times effect and heterogeneity
    assert len(frame) == 4 * (8 + 2 + 1)
    assert not (frame["a:b"] & ~(frame["a"] & frame["b"])).any()
    assert not (frame["a:b:c"] & ~(frame["a:b"] & frame["c"])).any()
    np.testing.assert_allclose(prior, 1 / len(frame))
    assert included[-1].all()
    nested = components_of([term(), term("a")], nested=True)
    included, _ = models_of(nested)
    assert len(included) == 2 * 2 * 3
    assert not (included[:, 3] & ~included[:, 1]).any()


def test_prior_probabilities_are_products():
    components = components_of([term(), term("a"), term("b"), term("a", "b")])
    included, prior = models_of(components, {"effect": 1, "a": 0.2, "a:b": 0.3, "heterogeneity": 0})
    assert included[:, 0].all()
    assert not included[:, 1].any()
    weights = {(False, False, False): 0.8 * 0.7, (False, True, False): 0.8 * 0.7, (True, False, False): 0.2 * 0.7,
               (True, True, False): 0.2 * 0.7, (True, True, True): 0.2 * 0.3}  # fmt: skip
    total = sum(weights.values())
    assert {tuple(row[2:].tolist()): p for row, p in zip(included, prior, strict=True)} == pytest.approx(
        {key: value / total for key, value in weights.items()}
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dose": 0.5}, "'dose'; did you mean 'doses'|unknown part of the model in prior_probabilities"),
        ({"a": 1.5}, "must be from 0 to 1 but got 1.5"),
        ({"a": "half"}, "a number from 0 to 1"),
        ({"a": 0, "b": 1, "a:b": 1}, "no model is left"),
    ],
)
def test_prior_probabilities_that_are_refused(given, message):
    with pytest.raises(bm.SpecError, match=message):
        models_of(components_of([term(), term("a"), term("b"), term("a", "b")]), given)


def test_too_many_models_are_refused():
    many = components_of([term(), *(term(f"x{i}") for i in range(20))])
    with pytest.raises(bm.SpecError, match="22 components make more than 16384 models"):
        models_of(many)
    assert len(models_of(many, {f"x{i}": 1 for i in range(10)})[0]) == 2**12
    with pytest.raises(bm.SpecError, match="'effect' has the name of a part of every model"):
        components_of([term(), term("effect")])


def test_inclusion_bayes_factors_are_posterior_over_prior_odds_of_separate_fits():
    """Every model fitted on its own, with the priors of the full model written out."""
    full = fitted("~ dose + weeks")
    found = bm.moderator_average(full)
    sd = {
        name: prior.args[1]
        for name, prior in zip(
            full.data.design.names, combination_priors(full.priors, full.data.design).priors, strict=True
        )
    }
    for name in ("dose", "weeks"):
        assert sd[name] == pytest.approx(0.5 / FRAME[name].std(), rel=5e-3)
    centred = FRAME[["dose", "weeks"]] - FRAME[["dose", "weeks"]].mean()
    columns = {"Intercept": np.ones(N), "dose": centred["dose"].to_numpy(), "weeks": centred["weeks"].to_numpy()}
    prior_sd = {**sd, "Intercept": 2.0}
    evidence = {}
    for row in found.to_frame().itertuples():
        names = [name for name, here in zip(columns, (row.effect, row.dose, row.weeks), strict=True) if here]
        tau = PRIORS["tau"] if row.heterogeneity else "Point(0)"
        evidence[row.Index] = _log_evidence(names, columns, prior_sd, tau)
    np.testing.assert_allclose(found.log_marginal_likelihoods, list(evidence.values()), atol=2e-9)
    table = bm.moderator_evidence(full)
    assert list(table.index) == ["effect", "heterogeneity", "dose", "weeks"]
    weight = np.exp(found.log_marginal_likelihoods)
    for name in table.index:
        inside = found.to_frame()[name].to_numpy()
        assert table.loc[name, "bf_inclusion"] == pytest.approx(weight[inside].sum() / weight[~inside].sum(), rel=1e-9)
        assert table.loc[name, "prob_inclusion"] == pytest.approx(weight[inside].sum() / weight.sum(), rel=1e-9)
        assert table.loc[name, "prior_prob"] == 0.5
    assert np.exp(table["log_bf_inclusion"]).to_list() == pytest.approx(table["bf_inclusion"].to_list())


def _log_evidence(names, columns, prior_sd, tau):
    """The marginal likelihood of one model: the coefficients integrated out, tau by quad."""
    from scipy.integrate import quad
    from scipy.stats import multivariate_normal, norm

    x = np.column_stack([columns[name] for name in names]) if names else np.zeros((N, 0))
    spread = x @ np.diag([prior_sd[name] ** 2 for name in names]) @ x.T if names else np.zeros((N, N))

    def log_density(value):
        return multivariate_normal.logpdf(Y, np.zeros(N), np.diag(V + value**2) + spread)

    if tau == "Point(0)":
        return log_density(0.0)
    top = max(log_density(value) for value in np.linspace(0, 1, 50))
    total, _ = quad(
        lambda v: np.exp(log_density(v) - top) * 2 * norm.pdf(v, 0, 0.5),
        0,
        4,
        epsabs=1e-12,
        points=[0.1, 0.3, 1.0],
        limit=300,
    )
    return np.log(total) + top


def test_averaged_coefficients_have_a_point_mass_at_zero():
    average = bm.moderator_average(fitted("~ dose + weeks"))
    table, probabilities = average.averaged, average.posterior_probabilities
    assert list(table.index) == ["effect_at_means", "dose", "weeks", "tau"]
    means = np.array([[one.mean()[0] for one in fit.coefficients] for fit in average.fits])
    np.testing.assert_allclose(table["mean"].iloc[:3], probabilities @ means, rtol=1e-10)
    squares = np.array([[one.sd()[0] ** 2 + one.mean()[0] ** 2 for one in fit.coefficients] for fit in average.fits])
    np.testing.assert_allclose(
        table["sd"].iloc[:3], np.sqrt(probabilities @ squares - (probabilities @ means) ** 2), rtol=1e-8
    )
    weeks = average.marginal("weeks")
    mass = 1 - table.loc["weeks", "prob_inclusion"]
    assert weeks.masses("weeks")[0.0] == pytest.approx(mass, rel=1e-12)
    assert weeks.cdf(0.0)[0] - weeks.cdf(-1e-12)[0] == pytest.approx(mass, rel=1e-6)
    assert table.loc["weeks", "median"] == 0.0
    assert average.marginal("tau").masses("tau")[0.0] == pytest.approx(1 - table.loc["tau", "prob_inclusion"], rel=1e-9)
    with pytest.raises(bm.SpecError, match="did you mean 'dose'"):
        average.marginal("dos")


def test_the_whole_model_alone_is_the_fit():
    full = fitted("~ dose + weeks")
    average = bm.moderator_average(full, prior_probabilities={"effect": 1, "heterogeneity": 1, "dose": 1, "weeks": 1})
    assert len(average.fits) == 1
    assert average.log_marginal_likelihood == pytest.approx(full.log_marginal_likelihood, rel=1e-12)
    for name in ("dose", "weeks", "tau"):
        assert average.averaged.loc[name, "mean"] == pytest.approx(full.mean(name), rel=1e-9)
        assert average.averaged.loc[name, "ci_low"] == pytest.approx(full.quantile(name, 0.025), rel=1e-8)
    at_means = full.solution.combinations(full.data.design.matrix.mean(axis=0)[None], ("effect",))
    assert average.averaged.loc["effect_at_means", "sd"] == pytest.approx(at_means.sd()[0], rel=1e-9)
    assert average.evidence["bf_inclusion"].isna().all()


def test_a_literal_prior_for_the_intercept_is_one_for_the_effect_where_the_moderators_are_zero():
    priors = {"Intercept": "Normal(0, 0.5)", "dose": "Normal(0, 0.1)", **PRIORS}
    found = bm.moderator_average(fitted("~ dose", priors=priors))
    assert list(found.averaged.index) == ["Intercept", "dose", "tau"]
    columns = {"Intercept": np.ones(N), "dose": FRAME["dose"].to_numpy()}
    rows = found.to_frame()
    here = rows[~rows["effect"] & rows["heterogeneity"] & rows["dose"]].index[0]
    exact = _log_evidence(["dose"], columns, {"dose": 0.1}, PRIORS["tau"])
    assert found.log_marginal_likelihoods[here] == pytest.approx(exact, abs=1e-9)


def test_a_term_with_several_coefficients_is_one_row():
    average = bm.moderator_average(fitted("~ focus + dose"))
    assert list(average.evidence.index) == ["effect", "heterogeneity", "focus", "dose"]
    assert np.isnan(average.evidence.loc["focus", "mean"])
    assert np.isfinite(average.evidence.loc["focus", "bf_inclusion"])
    assert list(average.averaged.index) == ["effect_at_means", "focus[T.b]", "focus[T.c]", "dose", "tau"]
    both = average.averaged.loc[["focus[T.b]", "focus[T.c]"], "prob_inclusion"]
    assert (both == average.evidence.loc["focus", "prob_inclusion"]).all()
    interaction = bm.moderator_average(fitted("~ focus * dose"))
    assert len(interaction.fits) == 4 * 5


def test_without_an_intercept_there_is_no_effect_to_leave_out():
    found = bm.moderator_evidence(fitted("~ 0 + focus"))
    assert list(found.index) == ["heterogeneity", "focus"]


def test_data_and_a_fit_give_the_same():
    one = bm.moderator_evidence(fitted("~ dose"))
    other = bm.moderator_evidence(yi=Y, vi=V, measure="SMD", data=FRAME, moderators="~ dose", priors=PRIORS)
    pd.testing.assert_frame_equal(one, other)


def test_huge_bayes_factors_keep_their_logarithm():
    found = bm.moderator_evidence(
        yi=np.linspace(-50, 50, 20), vi=np.full(20, 1e-3), data={"x": np.linspace(-1, 1, 20)}, moderators="~ x",
        priors={"Intercept": "Normal(0, 1)", "x": "Normal(0, 50)", "tau": "HalfNormal(0.1)"}, measure="SMD",
    )  # fmt: skip
    assert found.loc["x", "bf_inclusion"] == np.inf
    assert 800 < found.loc["x", "log_bf_inclusion"] < 1e6


def test_what_is_refused():
    with pytest.raises(bm.SpecError, match=r"'dose' has a flat prior.*priors=\{'dose': 'Normal\(0, 1\)'\}"):
        bm.moderator_evidence(fitted("~ dose", priors={"dose": "Flat()", **PRIORS}))
    flat = fitted("~ dose", priors={"Intercept": "Flat()", **PRIORS})
    with pytest.raises(bm.SpecError, match="Bayes factor for 'effect' is undefined"):
        bm.moderator_evidence(flat)
    kept = bm.moderator_evidence(flat, prior_probabilities={"effect": 1})
    assert np.isnan(kept.loc["effect", "bf_inclusion"])
    assert np.isfinite(kept.loc["dose", "bf_inclusion"])
    with pytest.raises(bm.SpecError, match=r"no moderators; .* bayes_factors\(\)"):
        bm.moderator_evidence(yi=Y, vi=V)


def test_three_levels_have_evidence_for_dependence():
    study = np.repeat(np.arange(7), 2)
    frame = FRAME.assign(study=study)
    fit = bm.fit(yi=Y, vi=V, measure="SMD", data=frame, moderators="~ dose", nesting="study/estimate", priors=PRIORS)
    average = bm.moderator_average(fit)
    assert list(average.evidence.index) == ["effect", "heterogeneity", "dose", "dependence"]
    assert len(average.fits) == 2 * 2 * 3
    whole = average.included.all(axis=1)
    assert average.log_marginal_likelihoods[whole][0] == pytest.approx(fit.log_marginal_likelihood, abs=1e-8)
    # the models without dependence are those of independent estimates
    two = bm.moderator_average(fitted("~ dose"))
    rows = average.to_frame()
    np.testing.assert_allclose(
        np.sort(average.log_marginal_likelihoods[~rows["dependence"]]), np.sort(two.log_marginal_likelihoods), atol=1e-9
    )
    plain = bm.moderator_evidence(yi=Y, vi=V, measure="SMD", data=frame, nesting="study/estimate", priors=PRIORS)
    assert list(plain.index) == ["effect", "heterogeneity", "dependence"]
    grouped = bm.moderator_average(
        yi=Y, vi=V, measure="SMD", data=frame, moderators="~ dose", nesting="study", priors=PRIORS
    )
    assert list(grouped.evidence.index) == ["effect", "heterogeneity", "dose"]
    alone = bm.fit(yi=Y, vi=V, measure="SMD", data=frame, moderators="~ dose", nesting="study", priors=PRIORS)
    assert grouped.log_marginal_likelihoods[-1] == pytest.approx(alone.log_marginal_likelihood, abs=1e-9)
    shown = bm.prior_posterior(fit)
    assert list(shown.table.index) == ["Intercept", "dose", "tau", "rho"]
    assert list(shown.table["k"]) == [7, 7, 7, 7]
    assert shown.table.loc["rho", "prior_sd"] == pytest.approx(1 / np.sqrt(12))
    assert 0 < shown.table.loc["rho", "overlap"] < 1


COUNTS = pd.DataFrame(
    {
        "events_e": [4, 6, 3, 12, 9, 2, 8], "n_e": [60, 70, 50, 80, 90, 40, 75],
        "events_c": [11, 14, 6, 15, 10, 3, 9], "n_c": [58, 72, 49, 83, 88, 41, 70],
        "dose": [9.0, 7, 6, 4, 2, 3, 1],
    }
)  # fmt: skip


@pytest.mark.parametrize("measure", ["OR", "RR"])
def test_arm_level_evidence_is_that_of_separate_fits(measure):
    priors = {"mu": "Normal(0, 1)", "dose": "Normal(0, 0.2)", "tau": "HalfNormal(0.5)"}
    common = {"measure": measure, "likelihood": "binomial", "moderators": "~ dose"}
    fit = bm.fit(COUNTS, priors=priors, **common)
    average = bm.moderator_average(fit)
    found = average.to_frame()
    assert len(found) == 8
    centred = COUNTS.assign(dose=COUNTS["dose"] - COUNTS["dose"].mean())
    no_effect = {"moderators": "~ 0 + dose", "priors": {name: priors[name] for name in ("dose", "tau")}}
    only_effect = {"moderators": None, "priors": {name: priors[name] for name in ("mu", "tau")}}
    separate = {
        (True, True): bm.fit(COUNTS, priors=priors, **common),
        (False, True): bm.fit(centred, **(common | no_effect)),
        (True, False): bm.fit(COUNTS, **(common | only_effect)),
        (False, False): bm.fit(
            COUNTS, **(common | {"moderators": None, "priors": {"mu": "Point(0)", "tau": priors["tau"]}})
        ),
    }
    for _, row in found.iterrows():
        if row["heterogeneity"]:
            other = separate[bool(row["effect"]), bool(row["dose"])].log_marginal_likelihood
            assert row["log_marginal_likelihood"] == pytest.approx(other, abs=1e-6)
    # tau = 0 is the limit of small tau
    small = bm.fit(COUNTS, priors=priors | {"tau": "HalfNormal(1e-5)"}, **common).log_marginal_likelihood
    full = found[found["effect"] & found["dose"] & ~found["heterogeneity"]]["log_marginal_likelihood"].iloc[0]
    assert full == pytest.approx(small, abs=1e-6)
    evidence = average.evidence
    assert list(evidence.index) == ["effect", "heterogeneity", "dose"]
    probability = average.posterior_probabilities
    inside = found["dose"].to_numpy(bool)
    slopes = [fit.coefficients[1].mean()[0] for fit in average.fits]
    assert evidence.loc["dose", "prob_inclusion"] == pytest.approx(probability[inside].sum(), abs=1e-12)
    assert evidence.loc["dose", "mean"] == pytest.approx(probability @ slopes, abs=1e-9)
    low, middle, high = evidence.loc["dose", ["ci_low", "median", "ci_high"]]
    assert low < middle < high
    # the normal likelihood says nearly the same
    normal = bm.moderator_evidence(COUNTS, priors=priors, **(common | {"likelihood": "normal"}))
    np.testing.assert_allclose(evidence["log_bf_inclusion"], normal["log_bf_inclusion"], atol=0.4)


def test_arm_level_evidence_that_is_refused():
    keywords = {"measure": "OR", "likelihood": "binomial", "priors": PRIORS}
    counts = COUNTS.assign(rob=list("lhlhlhl"))
    data = bm.fit(counts, moderators="~ dose", **keywords)
    with pytest.raises(bm.SpecError, match="coefficient 'dose' has a flat prior"):
        bm.moderator_evidence(counts, moderators="~ dose", **(keywords | {"priors": {**PRIORS, "dose": "Flat()"}}))
    with pytest.raises(bm.SpecError, match=r"exact for 2 coefficients at most.*has 3 \(Intercept, dose, rob\[T.l\]\)"):
        _arm_model(replace(data, data=replace(data.data, design=three_columns(data))), data.data.matrix.terms)


def three_columns(posterior):
    extra = np.array([1.0, 0, 1, 0, 1, 0, 1])
    return Design(np.column_stack([posterior.data.design.matrix, extra]), ("Intercept", "dose", "rob[T.l]"))
