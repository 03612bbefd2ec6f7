"""Forest plots of dependent estimates: means of studies against dense algebra, contents, geometry, messages."""

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.nested import own_name
from bayesmeta.reporting.numbers import estimate, interval
from bayesmeta.results.models.nested import new_study, posterior_study_means, study_means
from tests.plotting.test_regression_plots import check_geometry, texts

STUDY = list("aaabbcdddd")
DATA = {"study": STUDY, "estimate": list("1231211234")}
Y = np.array([-0.5, -0.4, -0.9, 0.1, -0.1, -0.6, -0.2, -0.3, 0.0, -0.5])
V = np.array([0.1, 0.05, 0.2, 0.08, 0.03, 0.1, 0.02, 0.06, 0.05, 0.04])
NESTED = {"yi": Y, "vi": V, "measure": "RR", "nesting": "study/estimate", "data": DATA}
LABELS = [f"Trial {study}, time {row}" for study, row in zip(STUDY, DATA["estimate"], strict=True)]


def dense(between: float, within: float, correlation: float, mu: float, spread: float) -> tuple[np.ndarray, np.ndarray]:
    """Means and standard deviations of mu + u by matrices."""
    z = np.array([[float(one == other) for other in "abcd"] for one in STUDY])
    same = z @ z.T
    s = np.sqrt(np.outer(V, V)) * np.where(same > 0, correlation, 0.0)
    np.fill_diagonal(s, V)
    total = s + within * np.eye(10) + between * same
    gain = between * z.T @ np.linalg.inv(total)
    mean = mu + gain @ (Y - mu)
    covariance = between * np.eye(4) - gain @ z * between
    share = 1 - gain.sum(axis=1)
    return mean, np.sqrt(np.diag(covariance) + share**2 * spread)


@pytest.fixture(scope="module", params=[0.0, 0.5])
def correlation(request):
    return request.param


def test_frequentist_means_of_studies(correlation):
    fit = bm.multilevel(**NESTED, sampling_correlation=correlation or None)
    assert isinstance(fit, Multilevel)
    mean, sd = dense(*fit.sigma2, correlation, fit.estimates[0], fit.covariance[0, 0])
    found = study_means(fit, 0.95)
    assert [row["cluster"] for row in found] == list("abcd")
    np.testing.assert_allclose([row["estimate"] for row in found], mean, rtol=1e-9)
    np.testing.assert_allclose([(row["ci_high"] - row["ci_low"]) / 2 for row in found], 1.959964 * sd, rtol=1e-6)
    blup = fit.random_effects()["study"]["estimate"]
    np.testing.assert_allclose(mean - fit.estimates[0], blup, atol=1e-8)


def test_posterior_means_of_studies_are_exact(correlation):
    fit = bm.fit(**NESTED, sampling_correlation=correlation or None)
    found = posterior_study_means(fit, 0.9)
    # the same mixture over the nodes of the quadrature, by dense matrices
    between, within, weights = fit.solution._nodes
    given = fit.solution._given
    parts = [
        dense(b, w, correlation, m, c) for b, w, m, c in zip(between, within, given.mean[0], given.covariance[0, 0], strict=True)
    ]  # fmt: skip
    means, sds = (np.array(one) for one in zip(*parts, strict=True))
    from scipy.special import ndtr

    for i, row in enumerate(found):
        for name, probability in (("estimate", 0.5), ("ci_low", 0.05), ("ci_high", 0.95)):
            assert weights @ ndtr((row[name] - means[:, i]) / sds[:, i]) == pytest.approx(probability, abs=1e-8)


@pytest.mark.parametrize("width", [None, 85 / 25.4, 174 / 25.4])
@pytest.mark.parametrize("fitted", [False, True])
def test_forest_of_dependent_estimates(width, fitted):
    fit = (bm.fit if fitted else bm.multilevel)(**NESTED, labels=LABELS)
    figure = bm.forest(fit, width=width, better="lower", groups=("Therapy", "Control"))
    check_geometry(figure)
    shown = [without_alignment(text) for text in texts(figure)]
    means = posterior_study_means(fit, 0.95) if fitted else study_means(fit, 0.95)
    for row in means:
        assert row["cluster"] in shown
        assert estimate(*np.exp([row["estimate"], row["ci_low"], row["ci_high"]])) in shown
    assert interval(*np.exp(new_study(fit, 0.95))) in shown
    diamonds = [p.get_xy()[1][0] for p in figure.axes[0].patches if p.get_label().startswith("diamond")]
    middle = fit.quantile("mu", 0.5) if fitted else fit.estimates[0]
    assert diamonds == pytest.approx([*np.exp([row["estimate"] for row in means]), np.exp(middle)])
    squares = next(a for a in figure.axes[0].collections if a.get_label() == "studies")
    assert len(squares.get_offsets()) == 10
    # areas are inverse variances, down to a least one
    big = np.argsort(V)[:3]
    np.testing.assert_allclose(squares.get_sizes()[big] * V[big], squares.get_sizes()[big[0]] * V[big[0]])
    assert figure.axes[0].get_xscale() == "log"


def test_new_study_is_the_interval_of_its_mean():
    fit = bm.multilevel(**NESTED)
    low, high = new_study(fit, 0.95)
    assert (high - low) / 2 == pytest.approx(1.959964 * np.sqrt(fit.covariance[0, 0] + fit.sigma2[0]), rel=1e-6)


@pytest.mark.sampling
def test_sampled_means_of_studies_agree_with_exact_ones():
    exact, sampled = bm.fit(**NESTED), bm.fit(**NESTED, engine="nuts")
    known, found = (posterior_study_means(one, 0.9) for one in (exact, sampled))
    assert [row["cluster"] for row in found] == [row["cluster"] for row in known]
    for one, other in zip(found, known, strict=True):
        sd = (other["ci_high"] - other["ci_low"]) / 3.29
        for name in ("estimate", "ci_low", "ci_high"):
            assert one[name] == pytest.approx(other[name], abs=0.12 * sd)
    assert "Heterogeneity" in " ".join(texts(bm.forest(sampled)))


def test_estimates_of_a_study_with_one_effect():
    """Without a level within studies the mean of a study is the effect of each of its estimates."""
    fit = bm.fit(**(NESTED | {"nesting": "study"}))
    found = posterior_study_means(fit, 0.95)
    assert [row["cluster"] for row in found] == list("abcd")
    for row, label in zip(found, ("1", "4", "6", "7"), strict=True):
        assert row["estimate"] == pytest.approx(fit.quantile(f"theta[{label}]", 0.5), rel=1e-9)
    assert "a" in " ".join(texts(bm.forest(fit)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"moderators": "~ estimate"}, "coefficient_forest draw moderators"),
        ({"nesting": "study", "within": "outcome"}, "effects by outcome .within=. have none"),
        ({"nesting": "study", "within": "outcome", "structure": "UN"}, "effects by outcome .within=. have none"),
    ],
)
def test_models_without_a_mean_per_study(options, message):
    given = NESTED | {"data": DATA | {"outcome": list("pqppqpqpqp")}} | options
    with pytest.raises(bm.SpecError, match=message):
        bm.forest(bm.fit(**given))


def test_tau_of_outcomes_is_drawn_elsewhere():
    given = NESTED | {"data": DATA | {"outcome": list("pqppqpqpqp")}, "nesting": "study"}
    with pytest.raises(bm.SpecError, match="a tau per outcome; prior_posterior_plot"):
        bm.tau_plot(bm.fit(**given, within="outcome", structure="UN"))


def test_names_of_estimates():
    assert own_name("Trial A 2", "Trial A") == "2"
    assert own_name("Trial AB", "Trial A") == "Trial AB"
    assert own_name("Trial A", "Trial A") == "Trial A"


def test_messages():
    with pytest.raises(bm.SpecError, match="without moderators"):
        bm.forest(bm.fit(**{**NESTED, "moderators": "~ x", "data": {**DATA, "x": range(10)}}))
    with pytest.raises(bm.SpecError, match="without moderators"):
        bm.forest(bm.multilevel(**{**NESTED, "moderators": "~ x", "data": {**DATA, "x": range(10)}}))
    with pytest.raises(bm.SpecError, match=r"level=0\.9"):
        bm.forest(bm.multilevel(**NESTED), level=0.9)
    with pytest.raises(bm.SpecError, match="leave out measure"):
        bm.forest(bm.multilevel(**NESTED), measure="RR")
