"""Design matrix, sampling covariance and nesting of effects: their checks, subsets, and who refuses what it does not treat."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.effects.covariance import Covariance, covariance_from_matrix, within_group_blocks
from bayesmeta.effects.design import Design, mean_only
from bayesmeta.effects.effects import Effects, effects_from_arrays
from bayesmeta.effects.nesting import independent, nested
from bayesmeta.errors import DataError, SpecError

Y, V = [0.4, -0.1, 0.3, 0.9], [0.04, 0.09, 0.02, 0.16]
PLAIN = effects_from_arrays(Y, vi=V)
BLOCK = np.array([[0.04, 0.03], [0.03, 0.09]])
CORRELATED = replace(PLAIN, covariance=Covariance(np.array(V), ((np.array([0, 1]), BLOCK),)))
MODERATED = replace(PLAIN, design=Design(np.column_stack([np.ones(4), [1.0, 2.0, 3.0, 4.0]]), ("Intercept", "dose")))
REPEATED = replace(PLAIN, nesting=nested(("study", "estimate"), (["A", "A", "B", "C"], ["1", "2", "1", "1"])))


def test_effects_are_pairwise_unless_told_otherwise() -> None:
    assert PLAIN.pairwise
    assert PLAIN.design.names == ("mu",)
    np.testing.assert_array_equal(PLAIN.design.matrix, np.ones((4, 1)))
    np.testing.assert_array_equal(PLAIN.covariance.matrix, np.diag(V))
    assert PLAIN.nesting.one_estimate_per_study
    assert not any(effects.pairwise for effects in (CORRELATED, MODERATED, REPEATED))


@pytest.mark.parametrize(
    ("effects", "reason"),
    [
        (CORRELATED, "correlated estimates"),
        (MODERATED, "coefficients Intercept, dose"),
        (REPEATED, "several estimates"),
    ],
)
def test_pairwise_methods_refuse_what_they_would_ignore(effects: Effects, reason: str) -> None:
    with pytest.raises(SpecError, match=reason):
        bm.random_effects(effects)
    with pytest.raises(SpecError, match=reason):
        bm.fit_many([effects])


def test_fits_refuse_what_they_would_ignore() -> None:
    assert bm.fit(MODERATED).solution.terms.coefficients == ("Intercept", "dose")
    with pytest.raises(SpecError, match="several estimates of one study"):
        bm.fit(REPEATED)
    with pytest.raises(SpecError, match="'nuts' has correlated sampling errors in its model for nesting"):
        bm.fit(CORRELATED, engine="nuts")
    with pytest.raises(SpecError, match="correlated estimates need likelihood='normal'"):
        bm.fit(CORRELATED, priors={"mu": "Cauchy(0, 1)"})


def test_correlated_estimates_are_fitted_with_their_covariance(tmp_path: Path) -> None:
    priors = {"mu": "Normal(0, 2)", "tau": "HalfNormal(0.5)"}
    correlated, plain = bm.fit(CORRELATED, priors=priors), bm.fit(PLAIN, priors=priors)
    assert correlated.terms == plain.terms
    # with tau known to be next to 0 the mean is the generalized least-squares one
    narrow = bm.fit(CORRELATED, priors={"mu": "Normal(0, 1000)", "tau": "HalfNormal(0.0001)"})
    weight = np.linalg.inv(CORRELATED.covariance.matrix)
    mean = (weight @ np.array(Y)).sum() / weight.sum()
    assert narrow.marginal("mu").mean()[0] == pytest.approx(mean, rel=1e-5)
    assert narrow.marginal("mu").sd()[0] == pytest.approx(1 / np.sqrt(weight.sum()), rel=1e-4)
    assert correlated.marginal("mu").mean()[0] != pytest.approx(plain.marginal("mu").mean()[0], rel=1e-3)
    assert bm.summarize(correlated).loc["mu", "sd"] > 0
    loaded = bm.load_posterior(correlated.save(tmp_path / "fit.nc"))
    np.testing.assert_array_equal(loaded.data.covariance.matrix, CORRELATED.covariance.matrix)
    assert loaded.quantile("mu", 0.3) == correlated.quantile("mu", 0.3)
    assert "log_likelihood" not in correlated.draws.children


def test_checks_of_correlated_estimates_use_their_covariance() -> None:
    fit = bm.fit(CORRELATED, priors={"mu": "Normal(0, 2)", "tau": "HalfNormal(0.5)"})
    left_out = bm.leave_one_out(fit, psis=False)
    whole, without = fit.log_marginal_likelihood, bm.influence(fit)
    assert np.isfinite(whole)
    assert np.isfinite(without["estimate"]).all()
    assert left_out["log_predictive"].notna().all()
    # correlated estimates are left out together, and a pair has no tail probability
    assert dict(left_out["tail"].isna()) == {"1 + 2": True, "3": False, "4": False}
    assert bm.leave_one_out(fit)["psis_error"].abs().max() < 0.1
    assert bm.predictive_checks(fit)["pvalue"].dropna().between(0, 1).all()
    assert bm.power_scaling(fit)["likelihood"].gt(0).all()


def test_subsets_keep_what_belongs_together() -> None:
    rows = np.array([False, True, True, True])
    assert CORRELATED.covariance.subset(rows).diagonal
    kept = CORRELATED.covariance.subset(np.array([1, 0, 3]))
    np.testing.assert_array_equal(kept.matrix[:2, :2], BLOCK[::-1, ::-1])
    assert MODERATED.design.subset(rows).matrix[0, 1] == 2.0
    assert REPEATED.nesting.subset(rows).one_estimate_per_study
    assert mean_only(3).subset(np.array([0, 2])).is_mean


def test_covariance_blocks_are_found_in_a_whole_matrix() -> None:
    matrix = np.diag(V)
    matrix[0, 2] = matrix[2, 0] = 0.01
    found = covariance_from_matrix(matrix)
    assert [indices.tolist() for indices, _ in found.blocks] == [[0, 2]]
    np.testing.assert_array_equal(found.matrix, matrix)
    blocks = within_group_blocks(["a", "b", "a", "b"], [BLOCK, BLOCK])
    assert [indices.tolist() for indices, _ in blocks] == [[0, 2], [1, 3]]
    assert independent(3).one_estimate_per_study


@pytest.mark.parametrize(
    ("blocks", "message"),
    [
        (((np.array([0, 1]), np.eye(3)),), "for 2 estimates has the shape"),
        (((np.array([0, 1]), np.array([[1.0, 0.2], [0.3, 1.0]])),), "not symmetric"),
        (((np.array([0, 1]), np.eye(2)), (np.array([1, 2]), np.eye(2))), "in two covariance blocks"),
    ],
)
def test_impossible_blocks_are_refused(blocks: tuple[tuple[np.ndarray, np.ndarray], ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Covariance(np.array(V), blocks)


def test_impossible_designs_are_refused() -> None:
    with pytest.raises(SpecError, match="should have 2 columns"):
        Design(np.ones((3, 1)), ("a", "b"))
    with pytest.raises(SpecError, match="no number for coefficient 'b' in row 2"):
        Design(np.array([[1.0, 2.0], [1.0, np.nan]]), ("a", "b"))
    with pytest.raises(DataError, match="should be square"):
        covariance_from_matrix(np.ones((2, 3)))
