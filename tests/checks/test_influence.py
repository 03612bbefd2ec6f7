"""The influence table: every row is a fit without that study, and the shifts are those of the posterior mean."""

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.checks.influence import ALL, influence
from bayesmeta.errors import DataError, SpecError
from bayesmeta.posterior.model_average import model_average

Y, V = np.array([0.1, 0.3, -0.2, 0.9]), np.array([0.04, 0.1, 0.09, 0.02])
LABELS = list("ABCD")


@pytest.fixture(scope="module")
def posterior():
    return bm.fit(yi=Y, vi=V, labels=LABELS, measure="HR", priors={"tau": "HalfNormal(0.5)"})


def test_every_row_is_a_fit(posterior) -> None:
    table = influence(posterior, better="higher", mid=1.1, level=0.9)
    assert list(table.index) == [ALL, *LABELS]
    for i, label in enumerate(LABELS):
        rest = np.arange(4) != i
        known = bm.fit(yi=Y[rest], vi=V[rest], measure="HR", priors={"tau": "HalfNormal(0.5)"})
        mu, new, tau = (
            bm.summarize(known, better="higher", mid=1.1, level=0.9).loc[t] for t in ("mu", "theta_new", "tau")
        )
        row = table.loc[label]
        found = row[
            [
                "estimate",
                "se",
                "ci_low",
                "ci_high",
                "pi_low",
                "pi_high",
                "tau",
                "tau_high",
                "prob_benefit",
                "prob_beyond_mid",
            ]
        ]
        expected = [
            mu["median"], mu["sd"], mu["ci_low"], mu["ci_high"], new["ci_low"], new["ci_high"], tau["median"], tau["ci_high"],
            mu["prob_benefit"], mu["prob_beyond_mid"],
        ]  # fmt: skip
        np.testing.assert_allclose(found.to_numpy(float), expected, rtol=1e-9)
        whole = bm.summarize(posterior).loc["mu"]
        assert row["shift"] == pytest.approx(mu["mean"] - whole["mean"], abs=1e-12)
        assert row["shift_sd"] == pytest.approx(row["shift"] / whole["sd"], rel=1e-12)


def test_the_most_influential_study_is_flagged(posterior) -> None:
    table = influence(posterior)
    assert table["most_influential"].sum() == 1
    flagged = table.index[table["most_influential"]][0]
    assert flagged == "D" == table["shift_sd"].abs().idxmax()


def test_nothing_is_flagged_without_shifts() -> None:
    table = influence(yi=[0.0, 0.0], sei=[0.1, 0.1], priors={"mu": "Normal(0, 1)"})
    np.testing.assert_allclose(table["shift"], 0, atol=1e-15)


def test_the_natural_scale(posterior) -> None:
    model, natural = influence(posterior), influence(posterior, scale="natural")
    effects = ["estimate", "ci_low", "ci_high", "pi_low", "pi_high"]
    np.testing.assert_allclose(natural[effects], np.exp(model[effects]), rtol=1e-14)
    np.testing.assert_array_equal(natural[["se", "tau", "shift"]], model[["se", "tau", "shift"]])


def test_bayes_factors_without_each_study(posterior) -> None:
    table = influence(posterior, bayes_factors=True)
    rest = np.array([True, True, True, False])
    known = model_average(yi=Y[rest], vi=V[rest], measure="HR", priors={"tau": "HalfNormal(0.5)"})
    assert table.loc["D", "bf_effect"] == pytest.approx(known.bf_effect, rel=1e-9)
    assert "bf_effect" not in influence(posterior).columns


def test_unusable_requests_are_errors(posterior) -> None:
    with pytest.raises(SpecError, match="unknown scale 'log'"):
        influence(posterior, scale="log")
    with pytest.raises(SpecError, match="level must be between 0 and 1"):
        influence(posterior, level=95)
    with pytest.raises(DataError, match="at least two studies"):
        influence(yi=[0.1], sei=[0.2])
