"""bm.predict: exact mixtures at values of the moderators, draws of NUTS, and bad input."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError

YI, VI = [-0.9, -0.2, -0.4, 0.1, 0.3, 0.2, -0.1], [0.1, 0.2, 0.1, 0.15, 0.2, 0.1, 0.05]
FRAME = pd.DataFrame({"dose": [1.0, 2, 2, 3, 5, 4, 3], "rob": list("lhlhlhl")})
PRIORS = {"Intercept": "Normal(0, 1)", "dose": "Normal(0, 0.5)", "tau": "HalfNormal(0.3)"}
COLUMNS = ["mean", "sd", "median", "ci_low", "ci_high", "pi_low", "pi_high"]


def by_grid(x: np.ndarray, level: float = 0.95) -> dict[str, float]:
    """Predict with X = 1, dose on a fine grid of tau, independently of the package."""
    matrix = np.column_stack([np.ones(7), FRAME["dose"]])
    y, v, prior = np.array(YI), np.array(VI), np.diag([1.0, 0.25])
    tau = np.linspace(0, 2.5, 20001)
    log, mean, var = np.empty(len(tau)), np.empty(len(tau)), np.empty(len(tau))
    for i, t in enumerate(tau):
        total = np.diag(v + t * t)
        marginal = total + matrix @ prior @ matrix.T
        log[i] = norm.logpdf(t, 0, 0.3) - 0.5 * np.linalg.slogdet(marginal)[1] - 0.5 * y @ np.linalg.solve(marginal, y)
        gain = prior @ matrix.T @ np.linalg.inv(marginal)
        mean[i], var[i] = x @ gain @ y, x @ (prior - gain @ matrix @ prior) @ x
    weights = np.exp(log - log.max())
    weights[0] /= 2
    weights /= weights.sum()
    found = {"mean": weights @ mean}
    found["sd"] = np.sqrt(weights @ (var + (mean - found["mean"]) ** 2))
    tails = {"median": 0.5, "ci_low": 0.5 - level / 2, "ci_high": 0.5 + level / 2}
    for name, p in tails.items():
        found[name] = quantile(p, weights, mean, np.sqrt(var))
    for name, p in (("pi_low", 0.5 - level / 2), ("pi_high", 0.5 + level / 2)):
        found[name] = quantile(p, weights, mean, np.sqrt(var + tau**2))
    return found


def quantile(p: float, weights: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> float:
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if weights @ norm.cdf((middle - mean) / sd) < p else (low, middle)
    return 0.5 * (low + high)


def test_predictions_are_exact() -> None:
    fit = bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose", priors=PRIORS)
    found = bm.predict(fit, pd.DataFrame({"dose": [1.5, 4]}, index=["low", "high"]), level=0.9)
    assert list(found.columns) == COLUMNS
    assert list(found.index) == ["low", "high"]
    for row, dose in (("low", 1.5), ("high", 4.0)):
        for name, value in by_grid(np.array([1.0, dose]), 0.9).items():
            assert found.loc[row, name] == pytest.approx(value, abs=2e-7), (row, name)


def test_at_zero_it_is_the_intercept_and_at_the_means_the_effect_there() -> None:
    fit = bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose", priors=PRIORS)
    found, summary = bm.predict(fit, {"dose": [0.0, FRAME["dose"].mean()]}), bm.summarize(fit)
    for row, term in zip(found.index, ("Intercept", "effect_at_means"), strict=True):
        np.testing.assert_allclose(found.loc[row, COLUMNS[:5]], summary.loc[term, COLUMNS[:5]], rtol=1e-10)


def test_centres_and_categories_are_those_of_the_data() -> None:
    fit = bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ center(dose) + rob", priors={"tau": "HalfNormal(0.3)"})
    found = bm.predict(fit, {"dose": [20 / 7, 20 / 7 + 1], "rob": ["h", "l"]})
    assert found["mean"].iloc[0] == pytest.approx(fit.mean("Intercept"))
    total = sum(fit.mean(name) for name in ("Intercept", "center(dose)", "rob[T.l]"))
    assert found["mean"].iloc[1] == pytest.approx(total)
    spline = bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ bs(dose, df=3)", measure="SMD")
    at = bm.predict(spline, FRAME[["dose"]].head(3))
    x = spline.data.design.matrix
    means = x[:3] @ [spline.mean(name) for name in spline.data.design.names]
    np.testing.assert_allclose(at["mean"], means, rtol=1e-10)
    pd.testing.assert_frame_equal(bm.predict(spline).reset_index(drop=True).head(3), at.reset_index(drop=True))


def test_natural_scale() -> None:
    fit = bm.fit(yi=YI, vi=VI, measure="RR", data=FRAME, moderators="~ dose", priors=PRIORS)
    log, ratio = bm.predict(fit, {"dose": [2]}), bm.predict(fit, {"dose": [2]}, scale="natural")
    np.testing.assert_allclose(ratio[COLUMNS[2:]], np.exp(log[COLUMNS[2:]]))
    p = (np.arange(20000) + 0.5) / 20000
    tree = fit.solution.combinations(np.array([[1.0, 2.0]]), ("a",)).quantile(p[:, None])
    assert ratio["mean"].iloc[0] == pytest.approx(np.exp(tree).mean(), rel=1e-3)
    assert ratio.attrs == {"level": 0.95, "scale": "natural"}
    flat = bm.fit(yi=YI, vi=VI, measure="RR", data=FRAME, moderators="~ dose", priors={**PRIORS, "Intercept": "Flat()"})
    assert bm.predict(flat, {"dose": [2]}, scale="natural")["mean"].isna().all()


def test_draws_of_nuts_agree_with_quadrature() -> None:
    options = {"yi": YI, "vi": VI, "data": FRAME, "moderators": "~ dose", "priors": PRIORS}
    exact, sampled = (
        bm.predict(bm.fit(**options, engine=engine), {"dose": [1.0, 4.0]}) for engine in ("quadrature", "nuts")
    )
    np.testing.assert_allclose(sampled, exact, atol=0.06)
    assert (sampled["pi_high"] > sampled["ci_high"]).all()


def test_arm_level_likelihood() -> None:
    counts = pd.DataFrame(
        {
            "events_e": [1, 3, 4, 5, 6, 2],
            "n_e": 50,
            "events_c": [2, 6, 5, 9, 7, 8],
            "n_c": 50,
            "dose": [1.0, 2, 3, 4, 5, 6],
        }
    )
    fit = bm.fit(counts, measure="OR", moderators="~ dose")
    found = bm.predict(fit, {"dose": [0.0, 3.5]})
    summary = bm.summarize(fit, studies=False)
    np.testing.assert_allclose(found["median"], summary.loc[["Intercept", "effect_at_means"], "median"], rtol=1e-8)
    assert (found["pi_low"] < found["ci_low"]).all()


def test_nested_estimates_predict_a_new_estimate_of_a_new_study() -> None:
    data = FRAME.assign(study=list("aabbccd"))
    fit = bm.fit(yi=YI, vi=VI, data=data, moderators="~ dose", nesting="study/estimate", measure="SMD")
    found = bm.predict(fit, {"dose": [FRAME["dose"].mean()]}).iloc[0]
    assert found["median"] == pytest.approx(fit.quantile("effect_at_means", 0.5))
    mean = bm.fit(yi=YI, vi=VI, data=data, nesting="study/estimate", measure="SMD")
    row = bm.predict(mean).loc["mu"]
    assert (row["median"], row["pi_low"]) == (
        pytest.approx(mean.quantile("mu", 0.5)), pytest.approx(mean.quantile("theta_new_estimate", 0.025)),
    )  # fmt: skip
    # as the effect in a new estimate where X is a column of ones
    ones = bm.fit(
        yi=YI, vi=VI, data=data, moderators=pd.DataFrame({"level": np.ones(7)}), nesting="study/estimate", measure="SMD"
    )
    np.testing.assert_allclose(bm.predict(ones, np.ones((1, 1)))[COLUMNS], row.to_frame().T[COLUMNS], rtol=1e-6)


def test_known_coefficients_and_tau() -> None:
    fixed = {"Intercept": "Point(0.1)", "dose": "Point(0.2)", "tau": "HalfNormal(0.3)"}
    row = bm.predict(bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose", priors=fixed), {"dose": [2]}).iloc[0]
    np.testing.assert_allclose(row[["mean", "sd", "median", "ci_low", "ci_high"]], [0.5, 0, 0.5, 0.5, 0.5], atol=1e-12)
    assert row["pi_low"] < 0.5 < row["pi_high"]
    common = bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose", priors={**PRIORS, "tau": "Point(0)"})
    row = bm.predict(common, {"dose": [2]}).iloc[0]
    np.testing.assert_allclose(row[["pi_low", "pi_high"]], row[["ci_low", "ci_high"]])


def test_without_moderators_and_from_frequentist_fits() -> None:
    fit = bm.fit(yi=YI, vi=VI, measure="SMD")
    row = bm.predict(fit).loc["mu"]
    assert (row["mean"], row["pi_low"]) == (fit.mean("mu"), pytest.approx(fit.quantile("theta_new", 0.025)))
    freq = bm.regression(yi=YI, vi=VI, data=FRAME, moderators="~ dose")
    pd.testing.assert_frame_equal(bm.predict(freq, {"dose": [2]}), freq.predict({"dose": [2]}))
    rows = bm.predict(
        bm.regression(yi=YI, vi=VI, measure="RR", data=FRAME, moderators="~ dose"), {"dose": [2]}, scale="natural"
    )
    assert rows["estimate"].iloc[0] == pytest.approx(np.exp(freq.predict({"dose": [2]})["estimate"].iloc[0]))


def test_rows_of_x() -> None:
    x = pd.DataFrame({"one": 1.0, "dose": FRAME["dose"]})
    fit = bm.fit(
        yi=YI, vi=VI, moderators=x, priors={"one": "Normal(0, 1)", "dose": "Normal(0, 0.5)", "tau": "HalfNormal(0.3)"}
    )
    named = bm.predict(fit, pd.DataFrame({"dose": [4.0], "one": [1.0]}))
    np.testing.assert_allclose(named, bm.predict(fit, np.array([[1.0, 4.0]])))
    with pytest.raises(SpecError, match=r"unknown column 'dose' for predict, .*did you mean 'dosis'"):
        bm.predict(fit, pd.DataFrame({"one": [1.0], "dosis": [1.0]}))
    with pytest.raises(DataError, match="not a finite number"):
        bm.predict(fit, np.array([[1.0, np.nan]]))


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        ({"dose": [1.0]}, SpecError, "needs the moderator 'rob'"),
        ({"dose": [1.0], "rob": ["x"]}, SpecError, "without the category 'x'"),
        ({"dose": [np.nan], "rob": ["h"]}, DataError, "the moderator is missing"),
        ({"dose": [1.0, 2.0], "rob": ["h"]}, DataError, "different lengths"),
        (np.ones((1, 2)), SpecError, r"shape \(m, 3\)"),
    ],
)  # fmt: skip
def test_values_that_cannot_be_predicted_at(frame: object, error: type[Exception], message: str) -> None:
    fit = bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose + rob", measure="SMD")
    with pytest.raises(error, match=message):
        bm.predict(fit, frame)


def test_fits_without_predictions_say_so() -> None:
    fit = bm.fit(yi=YI, vi=VI, measure="SMD")
    with pytest.raises(SpecError, match="no moderators"):
        bm.predict(fit, {"dose": [1]})
    with pytest.raises(SpecError, match="averaged over several"):
        bm.predict(bm.model_average(fit).posterior)
    with pytest.raises(SpecError, match="takes a posterior"):
        bm.predict(3)
    with pytest.raises(SpecError, match="level"):
        bm.predict(fit, level=95)
