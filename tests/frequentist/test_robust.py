"""Cluster-robust variances against clubSandwich 0.6.0 and their definition."""

import json

import numpy as np
import pytest
from paths import REFERENCE_FOLDER

import bayesmeta as bm
from bayesmeta.frequentist.robust import KINDS, sandwich

METAREG = json.loads((REFERENCE_FOLDER / "metareg_extract.json").read_text())["datasets"]
FITS = [
    (name, model, kind)
    for name, entry in METAREG.items()
    for model, fits in entry["models"].items()
    for kind in ("CR0", "CR1", "CR2")
    if f"REML__robust__{kind}" in fits
]


@pytest.mark.parametrize(("name", "model", "kind"), FITS)
def test_regression_with_each_study_a_cluster(name, model, kind):
    entry = METAREG[name]
    rows = entry["models"][model]["used"]
    y, v = (np.array(entry["columns"][column], float)[rows] for column in ("yi", "vi"))
    x = np.array(entry["models"][model]["x"], float)
    cluster = entry["columns"].get("cluster")
    cluster = None if cluster is None else [cluster[row] for row in rows]
    ours = bm.regression(yi=y, vi=v, moderators=x).robust(kind, cluster)
    theirs = entry["models"][model][f"REML__robust__{kind}"]
    for column, key in (("estimate", "beta"), ("se", "se"), ("statistic", "tstat"), ("df", "df"), ("pvalue", "pval")):
        np.testing.assert_allclose(ours[column], np.array(theirs[key], float), rtol=1e-8)


def clustered(seed=4, m=7):
    generator = np.random.default_rng(seed)
    clusters = np.repeat(np.arange(m), generator.integers(1, 5, m))
    n = len(clusters)
    x = np.column_stack([np.ones(n), generator.normal(size=n), (clusters % 2).astype(float)])
    v = generator.uniform(0.05, 0.4, n)
    variance = np.diag(v) + 0.2 * (clusters[:, None] == clusters)
    return x, generator.normal(size=n), clusters, variance


def test_cr2_is_unbiased_under_the_working_model():
    """The expectation of the sandwich is the variance of the coefficients if the working covariance is right."""
    x, y, clusters, variance = clustered()
    parts = sandwich("CR2", x, y, clusters, variance)
    expected = np.einsum("sjtj->st", parts.pair_covariances(np.eye(3)))
    np.testing.assert_allclose(expected, parts.bread, rtol=1e-9)
    # without the correction it is too small
    plain = sandwich("CR0", x, y, clusters, variance)
    assert (np.diag(np.einsum("sjtj->st", plain.pair_covariances(np.eye(3)))) < np.diag(parts.bread)).all()


@pytest.mark.parametrize("kind", KINDS)
def test_degrees_of_freedom_are_those_of_the_quadratic_form(kind):
    """Mean and variance of the sandwich, computed from the full matrices of its quadratic form in y."""
    x, y, clusters, variance = clustered()
    parts = sandwich(kind, x, y, clusters, variance)
    w = np.linalg.inv(variance)
    keep = np.eye(len(y)) - x @ parts.bread @ x.T @ w
    middle = np.zeros((3, len(y), len(y)))
    for score, label in zip(parts.scores, dict.fromkeys(clusters), strict=True):
        g = keep[clusters == label].T @ score
        for i in range(3):
            middle[i] += np.outer(g[:, i], g[:, i])
    for i in range(3):
        product = middle[i] @ variance
        assert y @ middle[i] @ y == pytest.approx(parts.covariance[i, i])
        # twice the squared mean over the variance, 2 tr (M S)^2
        assert parts.satterthwaite()[i] == pytest.approx(np.trace(product) ** 2 / np.trace(product @ product))


def test_the_hotelling_test_of_one_coefficient_is_its_t_test():
    x, y, clusters, variance = clustered()
    parts = sandwich("CR2", x, y, clusters, variance)
    found = parts.hotelling(np.eye(3)[[1]], ["b"])
    assert found.df_residual == pytest.approx(parts.satterthwaite()[1])
    assert found.statistic == pytest.approx(parts.estimates[1] ** 2 / parts.covariance[1, 1])


def test_what_single_clusters_fit_exactly_has_no_robust_variance():
    # one study in each of two countries: their residuals are 0 whatever the data are, and so would be the standard errors
    country = ["a", "a", "a", "b", "b", "c", "d"]
    fit = bm.regression(
        yi=[0.1, 0.5, 0.3, 0.2, 0.9, 1.4, -0.3], vi=[0.04, 0.1, 0.03, 0.2, 0.07, 0.05, 0.06],
        data={"country": country}, moderators="~ 0 + country",
    )  # fmt: skip
    for kind in ("CR0", "CR2"):
        found = fit.robust(kind)
        assert found[["se", "df", "pvalue", "ci_low"]].isna().all(axis=1).tolist() == [False, False, True, True]
    with pytest.raises(bm.DataError, match=r"(?s)no cluster-robust test of country.*Merge small categories"):
        fit.robust_test("country")
    assert 0 < fit.robust_test("country[a]").pvalue < 1


def test_clusters_that_do_not_fit_are_refused():
    x, y, clusters, variance = clustered()
    with pytest.raises(bm.DataError, match="correlates estimates of different clusters"):
        sandwich("CR2", x, y, np.arange(len(y)), variance)
    with pytest.raises(bm.DataError, match="in one cluster"):
        sandwich("CR2", x, y, np.zeros(len(y)), variance)
    with pytest.raises(bm.SpecError, match="did you mean"):
        sandwich("CR22", x, y, clusters, variance)
    fit = bm.regression(yi=y, vi=np.diag(variance))
    with pytest.raises(bm.DataError, match="cluster has 2 labels"):
        fit.robust("CR2", cluster=["a", "b"])
    with pytest.raises(bm.SpecError, match="one label per estimate"):
        fit.robust("CR2", cluster="study")
