"""Fits with several estimates per study: what ``fit`` takes and refuses, files, draws, and checks that leave whole studies out."""

import json

import numpy as np
import pandas as pd
import pytest
from paths import REFERENCE_FOLDER

import bayesmeta as bm

EXACT = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text(encoding="utf-8"))["konstantopoulos2011"]
MULTILEVEL = json.loads((REFERENCE_FOLDER / "multilevel_extract.json").read_text(encoding="utf-8"))["datasets"]
PRIORS = {"mu": "Normal(0, 0.5)", "tau": "InvGamma(1, 0.075)"}
SCHOOLS = {"yi": EXACT["yi"], "vi": EXACT["vi"], "data": {"district": EXACT["district"]}, "nesting": "district/school"}
TABLE = pd.DataFrame(
    {
        "study": ["A", "A", "A", "B", "B", "C", "D", "D"],
        "yi": [0.2, 0.5, 0.1, 0.6, 0.9, 0.3, -0.1, 0.2],
        "vi": [0.04, 0.05, 0.09, 0.06, 0.05, 0.03, 0.08, 0.07],
        "outcome": ["math", "read", "math", "math", "read", "read", "math", "read"],
        "dose": [1.0, 1.0, 2.0, 3.0, 3.0, 4.0, 2.0, 5.0],
    }
)
SMALL = {"yi": TABLE["yi"], "vi": TABLE["vi"], "data": TABLE, "measure": "SMD"}


@pytest.fixture(scope="module")
def schools() -> bm.Posterior:
    return bm.fit(**SCHOOLS, priors=PRIORS)


@pytest.fixture(scope="module")
def small() -> bm.Posterior:
    return bm.fit(**SMALL, nesting="study/estimate")


def test_konstantopoulos2011(schools: bm.Posterior) -> None:
    assert schools.log_marginal_likelihood == pytest.approx(EXACT["log_marginal_likelihood"]["1_three"], rel=1e-8)
    two = bm.fit(yi=EXACT["yi"], vi=EXACT["vi"], priors=PRIORS)
    assert two.log_marginal_likelihood == pytest.approx(EXACT["log_marginal_likelihood"]["1_two"], rel=1e-8)
    table = bm.summarize(schools, studies=False)
    assert list(table.index) == [
        "mu", "tau", "rho", "tau_between", "tau_within", "tau2", "i2", "i2_between", "i2_within", "theta_new", "theta_new_estimate",
    ]  # fmt: skip
    for name in ("mu", "tau", "rho"):
        assert table.loc[name, "mean"] == pytest.approx(EXACT["three_level"][f"{name}_mean"], rel=1e-8)
        assert table.loc[name, "sd"] == pytest.approx(EXACT["three_level"][f"{name}_sd"], rel=1e-8)
    assert table.loc["i2_between", "mean"] + table.loc["i2_within", "mean"] == pytest.approx(table.loc["i2", "mean"])
    assert "56 estimates in 11 groups of district" in repr(schools)
    assert schools.priors.to_dict() == {**PRIORS, "rho": "Uniform(0, 1)"}
    ratio = bm.summarize(bm.fit(**SCHOOLS | {"measure": "RR"}, priors=PRIORS), scale="natural", studies=False)
    assert ratio.loc["mu", "median"] == pytest.approx(np.exp(table.loc["mu", "median"]))
    assert ratio.loc["tau_between", "median"] == pytest.approx(table.loc["tau_between", "median"])


def test_a_file_has_the_groups_and_the_design(tmp_path) -> None:
    for given in (
        {"nesting": "study/estimate", "moderators": "~ dose", "sampling_correlation": 0.3},
        {"nesting": "study", "within": "outcome", "moderators": "~ 0 + outcome"},
        {"nesting": "study", "priors": {"tau2": "HalfNormal(0.2)"}},
        {"nesting": "study/estimate", "priors": {"tau_between": "HalfNormal(0.3)", "tau_within": "HalfCauchy(0.2)"}},
    ):
        found = bm.fit(**SMALL, **given)
        again = bm.load_posterior(found.save(tmp_path / "fit.nc"))
        assert again.log_marginal_likelihood == found.log_marginal_likelihood
        assert again.terms == found.terms
        assert again.priors == found.priors
        drawn = found.draws["posterior"]
        for name in found.solution.terms.parameters:
            values = drawn[name].values
            quantile = found.quantile(name, 0.5)
            assert np.mean(values <= quantile) == pytest.approx(0.5, abs=0.05)
        assert set(found.draws["prior"].data_vars) & {"rho", "tau"}


def test_priors_by_level_are_priors_of_both_levels() -> None:
    # HalfNormal on both levels: density of (tau, rho) is tau / (2 sqrt(rho (1 - rho))) times both
    found = bm.fit(
        **SMALL, nesting="study/estimate", priors={"tau_between": "HalfNormal(0.4)", "tau_within": "HalfNormal(0.4)"}
    )
    assert "tau ~" not in repr(found.priors)
    # with equal scales tau has a Rayleigh-like prior and rho Beta(1/2, 1/2), independent of it
    other = bm.fit(**SMALL, nesting="study/estimate", priors={"tau2": "Exponential(3.125)", "rho": "Beta(0.5, 0.5)"})
    assert found.log_marginal_likelihood == pytest.approx(other.log_marginal_likelihood, abs=1e-8)
    for name in ("tau_between", "rho", "theta_new", "theta[2]"):
        assert found.quantile(name, 0.8) == pytest.approx(other.quantile(name, 0.8), rel=1e-6)


def test_the_study_alone_is_one_effect_per_study() -> None:
    one = bm.fit(**SMALL, nesting="study")
    near = bm.fit(**SMALL, nesting="study/estimate", priors={"rho": "Uniform(0.9999999, 1)"})
    assert one.log_marginal_likelihood == pytest.approx(near.log_marginal_likelihood, abs=1e-4)
    assert one.quantile("theta[1]", 0.5) == pytest.approx(one.quantile("theta[2]", 0.5), rel=1e-8)


def test_a_frame_with_repeated_studies_and_ready_columns(small: bm.Posterior) -> None:
    found = bm.fit(TABLE, measure="SMD", nesting="study/estimate")
    assert found.log_marginal_likelihood == pytest.approx(small.log_marginal_likelihood, abs=1e-12)
    assert "theta[A (math, dose 2)]" in found.terms
    correlated = bm.fit(TABLE, measure="SMD", nesting="study/estimate", sampling_correlation=0.6)
    matrix = correlated.data.covariance.matrix
    assert matrix[0, 1] == pytest.approx(0.6 * np.sqrt(0.04 * 0.05))
    given = bm.fit(TABLE, measure="SMD", nesting="study/estimate", covariance=matrix)
    assert given.log_marginal_likelihood == pytest.approx(correlated.log_marginal_likelihood, abs=1e-12)


def test_moderators_of_nested_estimates() -> None:
    found = bm.fit(**SMALL, nesting="study/estimate", moderators="~ dose", priors={"dose": "Normal(0, 0.1)"})
    assert found.solution.terms.coefficients == ("Intercept", "dose")
    assert found.priors.to_dict()["dose"] == "Normal(0, 0.1)"
    # the prior for mu is that of the effect at the mean dose
    centred = TABLE.assign(dose=TABLE["dose"] - TABLE["dose"].mean())
    other = bm.fit(
        **SMALL | {"data": centred}, nesting="study/estimate", moderators="~ dose",
        priors={"Intercept": "Normal(0, 2)", "dose": "Normal(0, 0.1)"},
    )  # fmt: skip
    assert found.log_marginal_likelihood == pytest.approx(other.log_marginal_likelihood, abs=1e-10)
    assert found.quantile("dose", 0.9) == pytest.approx(other.quantile("dose", 0.9), rel=1e-8)
    default = bm.fit(**SMALL, nesting="study/estimate", moderators="~ dose").priors.to_dict()["dose"]
    assert default == f"Normal(0, {0.5 / TABLE['dose'].std():.3g})"
    gap = TABLE.assign(dose=TABLE["dose"].where(TABLE.index != 3))
    with pytest.raises(bm.DataError, match="moderator is missing"):
        bm.fit(**SMALL | {"data": gap}, nesting="study/estimate", moderators="~ dose")
    dropped = bm.fit(**SMALL | {"data": gap}, nesting="study/estimate", moderators="~ dose", drop_missing=True)
    assert dropped.data.k == 7


def test_outcomes_within_studies() -> None:
    berkey = MULTILEVEL["berkey1998"]
    given = {
        "yi": berkey["columns"]["yi"], "covariance": berkey["covariance"], "data": berkey["columns"], "measure": "MD",
        "nesting": "trial", "within": "outcome", "moderators": "~ 0 + outcome",
    }  # fmt: skip
    priors = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}
    un = bm.fit(**given, structure="UN", priors=priors)
    assert un.terms[:5] == ("outcome[AL]", "outcome[PD]", "tau[AL]", "tau[PD]", "rho")
    assert un.log_marginal_likelihood == pytest.approx(-2.957866786, abs=1e-8)
    assert bm.fit(**given, structure="HCS", priors=priors).log_marginal_likelihood == un.log_marginal_likelihood
    cs = bm.fit(**given, priors=priors)
    assert cs.terms[:6] == ("outcome[AL]", "outcome[PD]", "tau", "rho", "tau2", "i2")
    assert cs.priors.to_dict()["rho"] == "Uniform(-1, 1)"
    # one tau for both outcomes is between the two
    assert un.mean("tau[PD]") < cs.mean("tau") < un.mean("tau[AL]")
    for found in (un, cs):
        table = bm.summarize(found)
        assert table.loc["theta_new[AL]", "sd"] > table.loc["outcome[AL]", "sd"]
        assert len(bm.leave_one_out(found, psis=False)) == 5
    three = pd.DataFrame(berkey["columns"]).assign(outcome=list("abcabcabca"))
    with pytest.raises(
        bm.SpecError, match=r"exact for two levels of 'outcome', and there are 3.*bm\.multilevel\(within='outcome'"
    ):
        bm.fit(**given | {"data": three}, structure="UN")
    assert bm.fit(**given | {"data": three}).priors.to_dict()["rho"] == "Uniform(-0.5, 1)"
    with pytest.raises(bm.SpecError, match=r"structure='AR' is fitted by bm\.multilevel"):
        bm.fit(**given, structure="AR")
    with pytest.raises(bm.SpecError, match="needs within="):
        bm.fit(**given | {"within": None}, structure="CS")


def test_an_indefinite_sampling_covariance_is_accepted() -> None:
    knapp = MULTILEVEL["knapp2017"]
    blocks = {name: np.array(block) for name, block in knapp["covariance"].items()}
    assert min(np.linalg.eigvalsh(block)[0] for block in blocks.values()) < 0
    found = bm.fit(
        yi=knapp["columns"]["yi"], vi=knapp["columns"]["vi"], data=knapp["columns"], nesting="study/comp", covariance=blocks,
        measure="SMD", priors={"tau": "HalfNormal(0.5)"},
    )  # fmt: skip
    # S + Sigma is positive definite only where tau_within^2 is above minus the least eigenvalue of S, or outweighed
    fit = knapp["fits"]["three_level"]
    assert found.mean("mu") == pytest.approx(fit["beta"][0], abs=0.5 * fit["se"][0])
    assert found.sd("mu") == pytest.approx(fit["se"][0], rel=0.3)


def test_bad_input() -> None:
    with pytest.raises(bm.DataError, match=r"every group of 'study' has one estimate, so that rho.*cannot be learned"):
        bm.fit(yi=[0.1, 0.2, 0.3], vi=[0.1] * 3, data={"study": list("abc")}, nesting="study/estimate")
    with pytest.raises(bm.DataError, match="all estimates are in one group of 'study'"):
        bm.fit(yi=[0.1, 0.2, 0.3], vi=[0.1] * 3, data={"study": list("aaa")}, nesting="study/estimate")
    with pytest.raises(bm.DataError, match="are the same groups"):
        bm.fit(yi=[0.1, 0.2, 0.3], vi=[0.1] * 3, data={"a": list("xxy"), "b": list("uuv")}, nesting="a/b")
    with pytest.raises(bm.SpecError, match=r"has 3 levels; fit\(\) takes two.*bm\.multilevel"):
        bm.fit(**SMALL, nesting="study/outcome/estimate")
    with pytest.raises(bm.SpecError, match=r"crossed groups.*bm\.multilevel"):
        bm.fit(**SMALL, nesting="study + outcome")
    with pytest.raises(bm.SpecError, match="between -1 and 1"):
        bm.fit(**SMALL, nesting="study/estimate", sampling_correlation=1.5)
    with pytest.raises(bm.SpecError, match="not both"):
        bm.fit(**SMALL, nesting="study/estimate", sampling_correlation=0.5, covariance=np.diag(TABLE["vi"]))
    with pytest.raises(bm.SpecError, match="several estimates per study need likelihood='normal'"):
        bm.fit(**SMALL, nesting="study/estimate", likelihood="nct")
    with pytest.raises(bm.SpecError, match="priors name tau and tau_between"):
        bm.fit(**SMALL, nesting="study/estimate", priors={"tau": "HalfNormal(1)", "tau_between": "HalfNormal(1)"})
    with pytest.raises(bm.SpecError, match="give both tau_between and tau_within"):
        bm.fit(**SMALL, nesting="study/estimate", priors={"tau_between": "HalfNormal(1)"})
    with pytest.raises(bm.SpecError, match="a prior for rho is for models with several estimates per study"):
        bm.fit(yi=[0.1, 0.2], vi=[0.1] * 2, priors={"rho": "Beta(1, 1)"})
    with pytest.raises(bm.SpecError, match=r"between 0 and 1 but is Uniform\(-1, 1\)"):
        bm.fit(**SMALL, nesting="study/estimate", priors={"rho": "Uniform(-1, 1)"})
    covariance = np.diag(TABLE["vi"].to_numpy())
    covariance[0, 1] = covariance[1, 0] = 0.3
    with pytest.raises(bm.DataError, match=r"S is not positive definite, and S \+ Sigma neither"):
        bm.fit(**SMALL, nesting="study/estimate", covariance=covariance, priors={"tau": "Uniform(0, 0.05)"})


def test_a_study_is_left_out_with_all_its_estimates(small: bm.Posterior) -> None:
    found = bm.leave_one_out(small)
    assert list(found.index) == ["A", "B", "C", "D"]
    rest = TABLE[TABLE["study"] != "B"]
    without = bm.fit(yi=rest["yi"], vi=rest["vi"], data=rest, measure="SMD", nesting="study/estimate")
    expected = small.log_marginal_likelihood - without.log_marginal_likelihood
    assert found.loc["B", "log_predictive"] == pytest.approx(expected, abs=1e-9)
    good = found["pareto_k"] < 0.7
    assert good.sum() >= 2
    assert found.loc[good, "psis_error"].abs().max() < 0.2
    table = bm.influence(small)
    assert list(table.index) == ["(none)", "A", "B", "C", "D"]
    assert table.loc["B", "estimate"] == pytest.approx(without.quantile("mu", 0.5), rel=1e-8)


def test_sensitivity_to_the_prior_for_rho(small: bm.Posterior) -> None:
    table = bm.prior_sensitivity(small, tau_priors=["HalfNormal(1)"], mu_priors=[])
    assert list(table["varied"]) == ["as fitted", "tau", *["rho"] * 4]
    row = table[table["prior"] == "Beta(0.5, 0.5)"].iloc[0]
    other = bm.fit(**SMALL, nesting="study/estimate", priors={"rho": "Beta(0.5, 0.5)"})
    assert row["log_marginal_likelihood"] == pytest.approx(other.log_marginal_likelihood, abs=1e-9)
    assert "for rho" in table.attrs["verdict"]
    by_level = bm.fit(
        **SMALL, nesting="study/estimate", priors={"tau_between": "HalfNormal(1)", "tau_within": "HalfNormal(1)"}
    )
    table = bm.prior_sensitivity(by_level, tau_priors=["HalfNormal(0.3)"], mu_priors=[])
    assert list(table["varied"]) == ["as fitted", "tau_between and tau_within"]
