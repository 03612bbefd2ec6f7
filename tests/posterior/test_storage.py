"""Fits of both engines saved and loaded again, and files without a posterior."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError
from bayesmeta.support.versions import versions


def test_draws_take_numbers_and_arrays(drawn):
    p = np.array([0.025, 0.5, 0.975])
    for term in ("mu", "tau", "tau2", "i2", "theta_new", "theta[Stein 1953]"):
        several = drawn.quantile(term, p)
        assert several.shape == (3,)
        assert isinstance(drawn.quantile(term, 0.5), float)
        assert drawn.quantile(term, 0.5) == several[1]
        assert drawn.quantile(term, p.reshape(3, 1)).shape == (3, 1)
        np.testing.assert_allclose(drawn.cdf(term, several), p, atol=1e-3)
        assert isinstance(drawn.cdf(term, float(several[1])), float)
        assert drawn.pdf(term, several).shape == (3,)
        assert drawn.pdf(term, float(several[1])) > 0
        low, high = drawn.hdi(term, 0.9)
        assert low < several[1] < high
    assert drawn.method == "bayes:normal:nuts"
    with pytest.raises(SpecError, match="engine='quadrature'"):
        _ = drawn.log_marginal_likelihood


def test_versions():
    found = versions()
    assert {"python", "bayesmeta", "numpy", "scipy", "pymc", "arviz", "nutpie"} <= set(found)
    assert found["numpy"] == np.__version__


def assert_same(loaded, saved):
    assert loaded.terms == saved.terms
    for name in ("measure", "likelihood", "engine", "model", "seed", "method", "priors"):
        assert getattr(loaded, name) == getattr(saved, name)
    assert dict(loaded.provenance) == dict(saved.provenance)
    assert loaded.data.labels == saved.data.labels
    assert loaded.data.k == saved.data.k
    np.testing.assert_equal(loaded.data.n, saved.data.n)
    assert set(loaded.data.columns) == set(saved.data.columns)
    for name, value in saved.data.columns.items():
        np.testing.assert_array_equal(loaded.data.columns[name], value)
    for name in ("guide_effect", "guide_variance", "study_variance"):
        np.testing.assert_array_equal(getattr(loaded.data, name), getattr(saved.data, name))
    pd.testing.assert_frame_equal(bm.summarize(loaded), bm.summarize(saved))


def test_saved_and_loaded_quadrature(exact, tmp_path):
    path = exact.save(tmp_path / "deep" / "fit.nc")
    assert [item.name for item in path.parent.iterdir()] == ["fit.nc"]
    loaded = bm.load_posterior(path)
    assert_same(loaded, exact)
    assert loaded.log_marginal_likelihood == exact.log_marginal_likelihood
    np.testing.assert_array_equal(loaded.draws["posterior"]["mu"], exact.draws["posterior"]["mu"])
    assert_same(bm.load_posterior(loaded.save(tmp_path / "again.nc")), exact)


def test_saved_and_loaded_draws(drawn, tmp_path):
    loaded = bm.load_posterior(drawn.save(tmp_path / "fit.nc"))
    assert_same(loaded, drawn)
    for name, value in drawn.solution.draws.items():
        np.testing.assert_array_equal(loaded.solution.draws[name], value)
    assert dict(loaded.solution.diagnostics) == dict(drawn.solution.diagnostics)
    np.testing.assert_array_equal(loaded.solution.sample_stats["diverging"], drawn.solution.sample_stats["diverging"])


@pytest.mark.parametrize(
    "priors",
    [
        {"mu": "Normal(0, 1)", "tau2": "InvGamma(2, 0.1)"},
        {"mu": "Flat()", "tau": "Uniform(0, 3)"},
        {"mu": f"Normal({1 / 3!r}, {2 / 3!r})", "tau": f"HalfNormal({0.1 + 0.2!r})"},
        {"tau": 'turner2015("all-cause mortality", "pharmacological vs. placebo / control")'},
        {"tau": 'rhodes2015("mental health outcome", "non-pharmacological (any)")'},
    ],
    ids=["tau2", "flat", "thirds", "turner", "rhodes"],
)
def test_priors_are_loaded_as_they_were_saved(priors, fit, tmp_path):
    saved = fit(yi=[0.1, 0.4, -0.3], sei=[0.2, 0.3, 0.2], measure="SMD", priors=priors, engine="quadrature")
    loaded = bm.load_posterior(saved.save(tmp_path / "fit.nc"))
    assert loaded.priors.to_dict() == saved.priors.to_dict()
    assert_same(loaded, saved)


def _text(path):
    path.write_text("study,yi,sei\nA,0.1,0.2\n")


def _empty(path):
    path.write_bytes(b"")


def _other_netcdf(path):
    xr.Dataset({"temperature": ("x", [1.0, 2.0])}).to_netcdf(path)


def _cut(path):
    bm.fit(yi=[0.1, 0.2], sei=[0.2, 0.2], measure="SMD", engine="quadrature").save(path)
    path.write_bytes(path.read_bytes()[:5000])


def _attributes(text):
    def write(path):
        tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"mu": (("chain", "draw"), [[1.0]])})})
        tree.attrs["bayesmeta"] = text
        tree.to_netcdf(path)

    return write


ASKED = {"likelihood": "normal", "measure": "RR", "engine": "nuts", "n": None, "seed": 1}
BROKEN = {
    "text": _text,
    "empty": _empty,
    "other_netcdf": _other_netcdf,
    "cut_short": _cut,
    "no_json": _attributes("{not json"),
    "json_list": _attributes("[1]"),
    "json_of_something_else": _attributes('{"a": 1}'),
    "groups_missing": _attributes(json.dumps(ASKED)),
    "unknown_likelihood": _attributes(json.dumps({"likelihood": "poisson"})),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_files_without_a_posterior(kind, tmp_path):
    path = tmp_path / "file.nc"
    BROKEN[kind](path)
    with pytest.raises(DataError) as caught:
        bm.load_posterior(path)
    assert str(path) in str(caught.value)
    assert caught.value.fix


def test_paths_that_are_no_file(tmp_path):
    for path in (tmp_path / "none.nc", tmp_path):
        with pytest.raises(DataError, match="no such file"):
            bm.load_posterior(path)


def test_a_place_that_cannot_be_written(exact, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError) as caught:
        exact.save(tmp_path / "file" / "fit.nc")
    assert "fit.nc" in str(caught.value)
    assert (tmp_path / "file").read_text() == "in the way"


def test_saving_over_an_older_file_replaces_it(exact, drawn, tmp_path):
    path = exact.save(tmp_path / "fit.nc")
    loaded = bm.load_posterior(path)
    drawn.save(path)
    assert bm.load_posterior(path).engine == "nuts"
    # what was loaded before is in memory and not touched
    assert loaded.draws["posterior"]["mu"].shape == (4, 1000)


@pytest.mark.sampling
@pytest.mark.parametrize("which", ["resistant_nuts", "symptoms_nuts", "bcg_nuts"])
def test_saved_and_loaded_samples(which, request, tmp_path):
    saved = request.getfixturevalue(which)
    loaded = bm.load_posterior(saved.save(tmp_path / "fit.nc"))
    assert_same(loaded, saved)
    assert dict(loaded.solution.diagnostics) == dict(saved.solution.diagnostics)
    assert set(loaded.draws.children) == set(saved.draws.children)
