"""The bias-adjusted model against an independent integration, its limits, and what it refuses."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmeta as bm
from bayesmeta.certainty.bias_priors import default_bias_prior
from bayesmeta.errors import DataError, SpecError

YI = np.array([-0.31, -0.12, -0.85, -0.46, -0.05, -0.62])
SEI = np.array([0.21, 0.16, 0.24, 0.31, 0.12, 0.28])
LABELS = ["A", "B", "C", "D", "E", "F"]
CONCEALED = ["low", "low", "high", "high", "low", "low"]
BLINDED = ["low", "unclear", "high", "low", "high", "unclear"]
MU_SD, TAU_SCALE = 1.5, 0.4
PRIORS = {"mu": f"Normal(0.1, {MU_SD})", "tau": f"HalfNormal({TAU_SCALE})"}


def judged(**columns):
    table = pd.DataFrame({"study": LABELS, **{f"rob_{name}": values for name, values in columns.items()}})
    return bm.risk_of_bias(table, "cochrane", domains=tuple(columns))


BOTH = judged(allocation_concealment=CONCEALED, blinding_outcome_assessment=BLINDED)
EFFECTS = bm.effect_sizes(yi=YI, sei=SEI, labels=LABELS, measure="SMD")


def integrated(columns, means, sds, points):
    """Mean, sd and distribution function of each coefficient: given tau they are normal, and tau is integrated by Gauss-Legendre."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    tau, weights = 2.0 * (nodes + 1), 2.0 * weights  # from 0 to 4, ten times the prior's scale
    x = np.column_stack([np.ones(len(YI)), *columns])
    prior_mean, prior_cov = np.array([0.1, *means]), np.diag(np.array([MU_SD, *sds]) ** 2)
    log, mean, sd = [], [], []
    for one in tau:
        marginal = x @ prior_cov @ x.T + np.diag(SEI**2 + one**2)
        log.append(
            stats.multivariate_normal(x @ prior_mean, marginal).logpdf(YI) + stats.halfnorm(scale=TAU_SCALE).logpdf(one)
        )
        gain = np.linalg.solve(marginal, x @ prior_cov).T
        mean.append(prior_mean + gain @ (YI - x @ prior_mean))
        sd.append(np.sqrt(np.diag(prior_cov - gain @ x @ prior_cov)))
    log, mean, sd = np.array(log), np.array(mean), np.array(sd)
    density = weights * np.exp(log - log.max())
    share = (density / density.sum())[:, None]
    center = (share * mean).sum(axis=0)
    spread = np.sqrt((share * (sd**2 + mean**2)).sum(axis=0) - center**2)
    below = (share * stats.norm.cdf((points - mean) / sd)).sum(axis=0)
    return center, spread, below


@pytest.mark.parametrize("unclear", [0.0, 0.5])
def test_two_biases_agree_with_an_independent_integration(unclear):
    fitted = bm.bias_adjusted(
        EFFECTS,
        BOTH,
        domains=("allocation_concealment", "blinding_outcome_assessment"),
        priors=PRIORS | {"allocation_concealment": "Normal(-0.2, 0.3)", "bias": "Normal(0.05, 0.15)"},
        unclear=unclear,
    )
    shares = {"low": 0.0, "unclear": unclear, "high": 1.0}
    columns = [[shares[one] for one in domain] for domain in (CONCEALED, BLINDED)]
    np.testing.assert_array_equal(fitted.shares, np.array(columns).T)
    points = np.array([-0.25, -0.3, 0.0])
    center, spread, below = integrated(columns, [-0.2, 0.05], [0.3, 0.15], points)
    terms = ["mu", "bias_allocation_concealment", "bias_blinding_outcome_assessment"]
    posterior = fitted.posterior
    assert [posterior.mean(term) for term in terms] == pytest.approx(center, abs=1e-8)
    assert [posterior.sd(term) for term in terms] == pytest.approx(spread, abs=1e-8)
    assert [posterior.cdf(*pair) for pair in zip(terms, points, strict=True)] == pytest.approx(below, abs=1e-8)


def test_a_known_bias_is_taken_from_the_estimates_and_a_wide_prior_leaves_the_studies_out_of_the_mean():
    one = judged(allocation_concealment=CONCEALED)
    fitted = bm.bias_adjusted(EFFECTS, one, priors=PRIORS | {"bias": "Normal(-0.25, 0.2)"})
    flawed = np.array([text == "high" for text in CONCEALED])
    corrected = bm.fit(yi=YI + 0.25 * flawed, sei=SEI, measure="SMD", priors=PRIORS)
    table = fitted.sensitivity(factors=(0, 1e-6, 1, 1000))
    expected = [corrected.mean("mu"), corrected.sd("mu"), corrected.quantile("theta_new", 0.025)]
    assert table.loc[0, ["mean", "sd", "pi_low"]].tolist() == pytest.approx(expected, abs=1e-9)
    assert table.loc[1, ["mean", "sd", "pi_low"]].tolist() == pytest.approx(expected, abs=1e-7)
    assert table.loc[2, "mean"] == pytest.approx(fitted.posterior.mean("mu"), abs=1e-12)
    assert list(table["sd_overall"]) == pytest.approx([0, 2e-7, 0.2, 200])
    # of two or more flawed studies the differences among them still tell of tau
    center, spread, _ = integrated([flawed * 1.0], [-0.25], [200.0], 0.0)
    assert table.loc[3, ["mean", "sd"]].tolist() == pytest.approx([center[0], spread[0]], abs=1e-7)


def test_adjustment_moves_the_mean_away_from_a_stated_bias_and_widens_it():
    one = judged(allocation_concealment=CONCEALED)
    towards = bm.bias_adjusted(EFFECTS, one, priors={"bias": "Normal(-0.3, 0.1)"})
    assert towards.posterior.mean("mu") > towards.unadjusted.mean("mu")
    plain = bm.fit(EFFECTS)
    assert towards.unadjusted.mean("mu") == pytest.approx(plain.mean("mu"), abs=1e-12)
    frame = towards.summary()
    assert list(frame.index) == ["mu_unadjusted", "mu", "bias_overall", "tau"]
    assert frame.loc["mu", "median"] == towards.posterior.quantile("mu", 0.5)
    assert frame.loc["mu", "pi_low"] < frame.loc["mu", "ci_low"]
    assert f"unadjusted {plain.quantile('mu', 0.5):.3g}; 6 studies, 2 with a bias" in repr(towards)
    sds = bm.bias_adjusted(EFFECTS, one, priors={"tau": "Point(0.1)"}).sensitivity()["sd"]
    assert sds.is_monotonic_increasing


def test_studies_that_are_all_flawed_tell_of_the_sum_of_mean_and_bias():
    table = judged(allocation_concealment=["high"] * 6)
    fitted = bm.bias_adjusted(EFFECTS, table, priors=PRIORS | {"bias": "Normal(-0.2, 0.3)"})
    center, spread, _ = integrated([np.ones(6)], [-0.2], [0.3], 0.0)
    assert fitted.posterior.mean("mu") == pytest.approx(center[0], abs=1e-8)
    assert fitted.posterior.sd("mu") == pytest.approx(spread[0], abs=1e-8)


def test_default_priors_are_of_log_ratios_and_standardized_differences_only():
    assert str(default_bias_prior("OR")) == "Normal(0, 0.2)"
    assert default_bias_prior("SMD").args[1] == pytest.approx(
        default_bias_prior("RR").args[1] * np.sqrt(3) / np.pi, rel=0.01
    )
    for measure in ("MD", "RD", "GEN"):
        with pytest.raises(SpecError, match="has no default prior, since it depends on the unit"):
            default_bias_prior(measure)


def test_excluded_studies_need_no_judgement_and_domains_without_a_bias_are_named():
    counts = pd.DataFrame(
        {
            "study": ["A", "B", "C", "Z"],
            "events_e": [3, 5, 2, 0],
            "n_e": [20, 30, 25, 9],
            "events_c": [6, 9, 7, 0],
            "n_c": [20, 31, 24, 9],
        }
    )
    effects = bm.effect_sizes(counts, "RR")
    fitted = bm.bias_adjusted(effects, BOTH, domains=("blinding_outcome_assessment",))
    assert fitted.posterior.data.k == 3
    table = BOTH
    with pytest.raises(DataError, match="no pooled study is at high risk of bias"):
        bm.bias_adjusted(bm.effect_sizes(yi=[0.1, 0.2], sei=[0.1, 0.1], labels=["A", "B"], measure="SMD"), table)
    several = bm.bias_adjusted(
        bm.effect_sizes(yi=[0.1, 0.2], sei=[0.1, 0.1], labels=["A", "E"], measure="SMD"),
        table,
        domains=("allocation_concealment", "blinding_outcome_assessment"),
    )
    assert list(several.biases) == ["blinding_outcome_assessment"]
    assert several.notes == ("allocation_concealment: no pooled study has this bias",)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"domains": ("blinding",)}, "unknown domain of"),
        ({"domains": ()}, "at least one domain"),
        ({"priors": {"bias": "HalfNormal(0.3)"}}, r"the prior for a bias is Normal\(mean, sd\)"),
        ({"unclear": 1.5}, "from 0 to 1 but got 1.5"),
        ({"priors": {"concealment": "Normal(0, 1)"}}, "unknown parameter with a prior"),
    ],
)
def test_options_that_cannot_be_used_are_refused(options, part):
    with pytest.raises(SpecError, match=part):
        bm.bias_adjusted(EFFECTS, BOTH, **options)


def test_a_study_without_judgements_is_named():
    effects = bm.effect_sizes(yi=YI[:2], sei=SEI[:2], labels=["A", "Q"], measure="SMD")
    with pytest.raises(DataError, match="no risk-of-bias judgements of the study 'Q'"):
        bm.bias_adjusted(effects, BOTH)
    with pytest.raises(SpecError, match="factors"):
        bm.bias_adjusted(EFFECTS, BOTH).sensitivity(factors=(-1,))
