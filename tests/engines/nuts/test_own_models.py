"""A user's model file: its own quantities are kept, its priors are given by name, it reads the study table, and mistakes are named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

import bayesmeta as bm
from bayesmeta.engines.nuts import programs
from bayesmeta.engines.nuts.model_files import available_models, load_model
from bayesmeta.engines.nuts.own_model import check_variables, own_terms, own_values
from bayesmeta.engines.nuts.prior_use import ignored_priors
from bayesmeta.engines.nuts.programs import build_model, same_structure, structure
from bayesmeta.engines.nuts.sampling import converged, convergence_diagnostics
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.posterior.storage import load_posterior
from bayesmeta.posterior.summary import summarize

STUDIES = {"study": ["A", "B", "C"], "yi": [0.1, 0.5, 0.2], "sei": [0.3, 0.2, 0.4]}


def file_of(tmp_path, body, head="", name="mine"):
    """A model file whose model has the lines ``body``."""
    path = tmp_path / f"{name}.py"
    lines = "".join(f"        {line}\n" for line in body.splitlines())
    path.write_text(
        "import pymc as pm\nfrom bayesmeta.modeling import add_baseline, add_data, add_priors\n"
        f"LIKELIHOODS = ('normal',)\n{head}\n"
        f"def build(data, priors):\n    with pm.Model(coords={{'study': data.labels}}) as model:\n{lines}    return model\n",
        encoding="utf-8",
    )
    return path


USUAL = """columns = add_data(data)
mu, tau = add_priors(priors)
theta = pm.Normal("theta", mu, tau, dims="study")
pm.Normal("y", theta, columns["se"], observed=columns["effect"], dims="study")"""


def data_of(table=STUDIES):
    return model_data(bm.effect_sizes(pd.DataFrame(table), "GEN"), "normal")


def priors_of(**given):
    return parse_priors(
        {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.3)", **given}, bm.default_priors("SMD"), others=True
    )


@pytest.mark.sampling
def test_terms_are_those_of_the_model(own):
    studies = tuple(f"theta[{label}]" for label in "ABCD")
    assert set(own.terms) == {"mu", "tau", "tau2", "theta_new", "nu", "slope", "log_tau", "w[low]", "w[high]", *studies}
    assert own.terms[:4] == ("mu", "tau", "tau2", "theta_new")
    assert own.terms[-4:] == studies
    draws = own.draws["posterior"].to_dataset()
    np.testing.assert_array_equal(draws["theta_new"], draws["mu"] + 100.0)
    np.testing.assert_allclose(draws["log_tau"], np.log(draws["tau"]), rtol=1e-12)
    assert draws["z"].dims == ("chain", "draw", "study")
    summary = summarize(own, better="lower")
    assert list(summary.index) == list(own.terms)
    assert summary.loc["theta_new", "mean"] == pytest.approx(summary.loc["mu", "mean"] + 100)
    assert np.isnan(summary.loc["nu", "prob_benefit"])
    assert 0 < summary.loc["mu", "prob_benefit"] < 0.5


@pytest.mark.sampling
def test_other_parameters_of_a_log_ratio_are_not_exponentiated(own):
    from dataclasses import replace

    ratio = replace(own, data=replace(own.data, measure="HR"))
    model, natural = summarize(ratio), summarize(ratio, scale="natural")
    for term in ("nu", "slope", "w[low]", "log_tau", "tau"):
        assert natural.loc[term, "median"] == model.loc[term, "median"]
    assert natural.loc["mu", "median"] == pytest.approx(np.exp(model.loc["mu", "median"]))


@pytest.mark.sampling
def test_log_likelihood_and_predictions_are_those_of_the_model(own):
    draws = own.draws
    posterior = draws["posterior"].to_dataset()
    columns = own.data.columns
    expected = stats.norm(posterior["theta"], columns["se"]).logpdf(columns["effect"])
    assert list(draws["log_likelihood"].data_vars) == ["y"]
    assert draws["log_likelihood"]["y"].dims == ("chain", "draw", "study")
    np.testing.assert_allclose(draws["log_likelihood"]["y"], expected, rtol=1e-9)
    np.testing.assert_array_equal(draws["observed_data"]["y"], columns["effect"])
    assert list(draws["observed_data"]["study"].values) == list("ABCD")
    predicted = draws["posterior_predictive"]["y"].values - posterior["theta"].values
    np.testing.assert_allclose(predicted.std(axis=(0, 1)), columns["se"], rtol=0.06)
    np.testing.assert_allclose(predicted.mean(axis=(0, 1)), 0, atol=0.02)
    prior = draws["log_prior"].to_dataset()
    # w has no part in the data, z has a value per study
    assert set(prior.data_vars) == {"mu", "tau", "nu", "slope"}
    np.testing.assert_allclose(prior["nu"], stats.gamma(2, scale=10).logpdf(posterior["nu"]), rtol=1e-9)
    assert "prior" not in draws


@pytest.mark.sampling
def test_a_second_fit_with_another_prior_uses_the_compiled_model(own, own_table, own_path, fit):
    before = len(programs._GRAPHS)
    priors = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.3)", "nu": "Gamma(400, 100)"}
    second = fit(own_table.assign(yi=own_table["yi"] + 1), measure="GEN", model=own_path, priors=priors, seed=8)
    assert len(programs._GRAPHS) == before
    assert second.priors.to_dict()["nu"] == "Gamma(400, 100)"
    assert summarize(second).loc["nu", "mean"] == pytest.approx(4.0, abs=0.05)
    assert summarize(second).loc["theta[A]", "mean"] == pytest.approx(
        summarize(own).loc["theta[A]", "mean"] + 1, abs=0.3
    )


@pytest.mark.sampling
def test_what_a_padded_model_defines_has_no_padding(shifted, unshifted):
    assert shifted.terms == ("mu", "tau", "tau2", *(f"theta[{label}]" for label in "ABCD"))
    draws = shifted.draws
    assert set(draws.children) == {"posterior", "log_prior", "log_likelihood", "sample_stats", "constant_data"}
    assert draws["log_likelihood"]["study_data"].shape[2] == 4
    summary, exact = summarize(shifted), summarize(unshifted)
    for term in ("mu", "tau", "theta[A]", "theta[C]"):
        for statistic in ("mean", "sd", "ci_low", "ci_high"):
            error = summary.loc[term, f"mcse_{statistic}"]
            assert abs(summary.loc[term, statistic] - exact.loc[term, statistic]) < 4.5 * error


@pytest.mark.sampling
def test_a_stored_posterior_of_a_model_file_is_complete(own, tmp_path):
    loaded = load_posterior(own.save(tmp_path / "own.nc"))
    assert (loaded.terms, loaded.priors, loaded.source) == (own.terms, own.priors, own.source)
    assert loaded.model_path == own.model_path
    pd.testing.assert_frame_equal(summarize(loaded), summarize(own))
    np.testing.assert_array_equal(loaded.data.column("duration"), [-1, 0, 1, 0.5])
    assert set(loaded.draws.children) == set(own.draws.children)
    assert loaded.solution.groups.keys() == own.solution.groups.keys()


@pytest.mark.sampling
def test_a_posterior_knows_its_model(own, own_path, unshifted):
    assert own.model == "own"
    assert own.model_path == str(own_path.resolve())
    assert own.fitted_model == f"the model file {own_path.resolve()}"
    assert own.method == "bayes:normal:nuts:own"
    assert unshifted.model_path == ""
    assert unshifted.fitted_model == "the built-in model generic_normal"
    assert unshifted.method == "bayes:normal:quadrature"
    assert bm.model_average(unshifted).posterior.fitted_model == "the model average"


def test_only_the_models_of_a_likelihood_are_built_in(tmp_path):
    assert all(load_model(name).built_in for name in available_models())
    copy = tmp_path / "generic_normal.py"
    copy.write_bytes(load_model("generic_normal").path.read_bytes())
    assert not load_model(copy).built_in


@pytest.mark.parametrize(
    ("priors", "message"),
    [
        ({"num": "Gamma(1, 1)"}, r"own\.py has no parameter 'num'; it takes priors for: mu, nu, slope, tau"),
        (
            {"w": "Normal(0, 2)"},
            r'own\.py has a prior of its own for w; .*mu, tau, w = add_priors\(priors, w="Normal\(0, 2\)"\)',
        ),
        ({"w": "Flat()"}, r"own\.py has a prior of its own for w"),
    ],
)
def test_priors_that_a_model_does_not_take_are_refused(own_table, own_path, fit, priors, message):
    with pytest.raises(SpecError, match=message):
        fit(own_table, measure="GEN", model=own_path, priors=priors)


def test_a_flat_prior_of_another_parameter_is_taken(own_table, own_path):
    data = model_data(bm.effect_sizes(own_table, "GEN"), "normal")
    model = build_model(load_model(own_path), data, priors_of(slope="Flat()"))
    assert "slope_prior" not in model.named_vars


def test_unknown_parameters_are_refused_without_a_model_file(fit):
    with pytest.raises(SpecError, match="unknown parameter with a prior 'nu'"):
        fit(yi=[0.1, 0.2], sei=[0.1, 0.1], priors={"nu": "Gamma(2, 1)"})
    with pytest.raises(SpecError, match="unknown parameter with a prior 'nu'"):
        fit(yi=[0.1, 0.2], sei=[0.1, 0.1], engine="nuts", model="generic_normal", priors={"nu": "Gamma(2, 1)"})


@pytest.mark.parametrize(
    ("name", "prior"), [("mu", "Normal(0, 3)"), ("tau", "HalfNormal(2)"), ("tau2", "InvGamma(1, 1)")]
)
def test_a_prior_that_the_model_ignores_is_refused(tmp_path, fit, name, prior):
    body = USUAL.replace("mu, tau = add_priors(priors)", 'mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 0.3)')
    path = file_of(tmp_path, body)
    with pytest.raises(
        SpecError, match=r"mine\.py does not use the prior given for (mu|tau2?); take it from add_priors"
    ):
        fit(pd.DataFrame(STUDIES), measure="GEN", model=path, priors={name: prior})


def test_the_priors_that_a_model_ignores_are_known(tmp_path, own_path, own_table):
    body = USUAL.replace("add_priors(priors)", 'priors.mu.to_pymc("mu"), pm.HalfNormal("tau", 0.3)')
    priors = priors_of()
    assert ignored_priors(load_model(file_of(tmp_path, body)), data_of(), priors, ["mu", "tau2", "nu"]) == ["tau2"]
    data = model_data(bm.effect_sizes(own_table, "GEN"), "normal")
    assert ignored_priors(load_model(own_path), data, priors, ["mu", "tau", "nu"]) == []


@pytest.mark.parametrize(("returned", "named"), [("None", "nothing"), ("1.5", "a float"), ("mu", "a TensorVariable")])
def test_a_build_that_returns_no_model_is_named(tmp_path, fit, returned, named):
    path = file_of(tmp_path, USUAL)
    path.write_text(path.read_text().replace("return model", f"return {returned}"))
    with pytest.raises(SpecError, match=rf"mine\.py returned {named}, not a pymc.Model; end it with 'return model'"):
        fit(pd.DataFrame(STUDIES), measure="GEN", model=path)


def test_a_file_is_given_only_what_it_lists(tmp_path, fit, bcg):
    normal = file_of(tmp_path, USUAL, head="MEASURES = ('RR', 'OR')")
    with pytest.raises(SpecError, match=r"treats likelihood 'normal', not 'binomial'"):
        fit(bcg, measure="RR", likelihood="binomial", model=normal)
    with pytest.raises(SpecError, match=r"treats RR, OR, not RD"):
        fit(bcg, measure="RD", likelihood="normal", model=normal)
    with pytest.raises(SpecError, match=r"binary_or\.py treats OR, not RR"):
        fit(bcg, measure="RR", likelihood="binomial", engine="nuts", model="binary_or")


def test_the_likelihood_is_one_that_the_file_lists(tmp_path, fit, bcg, monkeypatch):
    from bayesmeta.engines.nuts import sampling

    seen = []

    def stop(_, data, *__):
        seen.append(data.likelihood)
        raise RuntimeError("stop")

    monkeypatch.setattr(sampling, "_run", stop)
    with pytest.raises(bm.ConvergenceError, match="stop"):
        fit(bcg, measure="RR", model=file_of(tmp_path, USUAL))
    assert seen == ["normal"]


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("mu", (4, 9, 2), r"'mu' of the model file .*mine\.py must have one value but has shape \(2,\)"),
        ("theta", (4, 9), r"'theta' of the model file .*mine\.py must have one value for each of the 3 studies"),
        ("theta", (4, 9, 2), r"'theta' of the model file .*mine\.py must have one value for each of the 3 studies"),
    ],
)
def test_variables_of_another_shape_are_refused(tmp_path, name, shape, message):
    file = load_model(file_of(tmp_path, USUAL))
    shapes = {"mu": (4, 9), "tau": (4, 9), "theta": (4, 9, 3)}

    def draws():
        return xr.Dataset(
            {key: (("chain", "draw", f"{key}_dim_0")[: len(one)], np.zeros(one)) for key, one in shapes.items()}
        )

    check_variables(file, draws(), 3)
    shapes[name] = shape
    with pytest.raises(SpecError, match=message):
        check_variables(file, draws(), 3)


def test_models_that_differ_in_a_deterministic_or_in_labels_are_not_the_same(tmp_path):
    extra = "\npm.Deterministic('theta_new', mu + {})"
    coords = "data.labels, 'part': ['{}', 'b']}}"
    models = []
    for shift, label in ((1.0, "a"), (1.0, "a"), (2.0, "a"), (1.0, "c")):
        path = file_of(tmp_path, USUAL + extra.format(shift), name=f"m{len(models)}")
        path.write_text(path.read_text().replace("data.labels}", coords.format(label)))
        models.append(structure(build_model(load_model(path), data_of(), priors_of())))
    assert [same_structure(models[0], other) for other in models] == [True, True, False, False]


def test_a_constant_of_the_model_does_not_prevent_convergence():
    rng = np.random.default_rng(1)
    draws = xr.Dataset({name: (("chain", "draw"), rng.normal(size=(4, 1000))) for name in ("mu", "tau", "nu")})
    draws["w"] = (("chain", "draw", "part"), np.stack([np.ones((4, 1000)), rng.normal(size=(4, 1000))], axis=2))
    draws["df"] = (("chain", "draw"), np.full((4, 1000), 3.0))
    assert converged(convergence_diagnostics(draws, np.zeros((4, 1000))))
    stuck = draws.assign(nu=draws["nu"] + xr.DataArray([5.0, 0.0, 0.0, 0.0], dims="chain"))
    assert convergence_diagnostics(stuck, np.zeros((4, 1000)))["r_hat"] > 1.1


def test_values_of_terms_that_a_model_defines_itself():
    rng = np.random.default_rng(1)
    names = ("mu", "tau", "tau2", "i2", "nu")
    draws = xr.Dataset({name: (("chain", "draw"), rng.gamma(2.0, size=(2, 5))) for name in names})
    draws["theta"] = (("chain", "draw", "study"), rng.normal(size=(2, 5, 2)))
    draws["corr"] = (("chain", "draw", "a", "b"), rng.normal(size=(2, 5, 2, 2)))
    draws = draws.assign_coords(a=["x", "y"], b=[0, 1])
    terms = own_terms(draws, ("A", "B"))
    others = ("nu", "corr[x,0]", "corr[x,1]", "corr[y,0]", "corr[y,1]")
    assert terms.all == ("mu", "tau", "tau2", "i2", *others, "theta[A]", "theta[B]")
    values = own_values(draws)
    np.testing.assert_array_equal(values["tau2"], draws["tau2"])
    np.testing.assert_array_equal(values["corr[y,0]"], draws["corr"].values[:, :, 1, 0])
    assert not terms.is_effect("nu")
    assert terms.is_effect("theta[A]")


def test_columns_of_the_study_table(own_table):
    effects = bm.effect_sizes(own_table.assign(blank=["1", "", "3", "4"], n_e=[5, 6, 7, 8]), "GEN")
    data = model_data(effects, "normal")
    np.testing.assert_array_equal(data.column("duration"), [-1, 0, 1, 0.5])
    np.testing.assert_array_equal(data.column("blank"), [1, np.nan, 3, 4])
    np.testing.assert_array_equal(data.column("n_e"), [5, 6, 7, 8])
    np.testing.assert_array_equal(data.column("effect"), data.columns["effect"])
    assert list(data.column("focus")) == ["trauma", "general", "trauma", ""]
    part = data.subset(np.array([False, True, True, True])).subset(np.array([2, 0]))
    assert part.labels == ("D", "B")
    np.testing.assert_array_equal(part.column("duration"), [0.5, 0])
    padded = part.padded(4)
    np.testing.assert_array_equal(padded.column("duration"), [0.5, 0, 1, 1])
    assert list(padded.column("focus")) == ["", "general", "general", "general"]
    with pytest.raises(SpecError, match="unknown column 'durations'; did you mean 'duration'"):
        data.column("durations")
    arrays = model_data(bm.effect_sizes(yi=[0.1], sei=[0.2]), "normal")
    with pytest.raises(SpecError, match="no column 'duration': these effects were given as arrays"):
        arrays.column("duration")


def test_excluded_studies_have_no_part_in_the_columns(own_table):
    frame = own_table.assign(exclude=["", "retracted", "", ""])
    data = model_data(bm.effect_sizes(frame, "GEN"), "normal")
    assert data.labels == ("A", "C", "D")
    np.testing.assert_array_equal(data.column("duration"), [-1, 1, 0.5])


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        (
            "focus",
            ["x", "y", "z"],
            r"column 'focus' has text and add_data takes numbers; .*data.column\('focus'\) == 'x'",
        ),
        ("age", ["40", "", "50"], "column 'age' is blank for B; give it a value for every study"),
    ],
)
def test_columns_that_are_no_complete_numbers_are_refused_as_data(tmp_path, fit, column, cells, message):
    path = file_of(tmp_path, USUAL.replace("add_data(data)", f"add_data(data, '{column}')"))
    with pytest.raises(SpecError, match=message):
        fit(pd.DataFrame({**STUDIES, column: cells}), measure="GEN", model=path)


def test_data_errors_of_a_build_are_passed_on(tmp_path, fit):
    path = file_of(tmp_path, "from bayesmeta import DataError\nraise DataError('too few', fix='add some')")
    with pytest.raises(DataError, match="too few"):
        fit(pd.DataFrame(STUDIES), measure="GEN", model=path)
