"""The PyMC models without sampling: their variables, and their log density at points against scipy."""

from __future__ import annotations

import os
import textwrap
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from model_densities import (
    PRIORS,
    Evaluated,
    assert_same_density,
    irr_data,
    normal_data,
    or_data,
    points,
    rr_data,
    smd_data,
    study_effects,
)
from scipy import stats
from scipy.integrate import quad
from scipy.special import expit

import bayesmeta.modeling
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.engines.nuts.blocks import data_values
from bayesmeta.engines.nuts.model_files import available_models, default_model, load_model, model_folder
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.registry import likelihood_for, model_data
from bayesmeta.model.priors.baseline import baseline_log_density
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.studies.read import read_studies


def prior_density(point):
    tau = np.exp(point["tau_log__"])
    return stats.norm.logpdf(point["mu"], 0.1, 2.82) + stats.halfnorm.logpdf(tau, scale=0.5) + point["tau_log__"]


@pytest.mark.parametrize("name", ["generic_normal", "binary_rr", "binary_or", "rate_irr", "continuous_smd"])
def test_normal_model_is_the_hierarchical_model(name):
    data = normal_data()
    model = load_model(name).build(data, PRIORS)
    assert list(model.coords["study"]) == ["A", "B", "C"]
    assert model.named_vars_to_dims["theta"] == ("study",)
    assert {variable.name for variable in model.free_RVs} == {"mu", "tau", "z"}
    evaluate = Evaluated(model)
    found, expected = [], []
    for point in points(3, 4):
        logp, mu, tau, theta = evaluate(**point)
        assert (mu, tau) == pytest.approx((point["mu"], np.exp(point["tau_log__"])))
        expected_theta, effects = study_effects(data, mu, tau, point["z"])
        np.testing.assert_allclose(theta, expected_theta, rtol=1e-12)
        likelihood = stats.norm.logpdf(data.columns["effect"], theta, data.columns["se"]).sum()
        found.append(logp)
        expected.append(prior_density(point) + effects + likelihood)
    assert_same_density(found, expected)


def test_binomial_model_is_the_hierarchical_model():
    data = rr_data()
    model = load_model("binary_rr").build(data, PRIORS)
    assert {variable.name for variable in model.free_RVs} == {"mu", "tau", "z", "logit_larger_risk"}
    assert model.named_vars_to_dims["logit_larger_risk"] == ("study",)
    evaluate = Evaluated(model)
    found, expected = [], []
    draw_logit = ("logit_larger_risk", lambda rng, size: rng.normal(-0.5, 2, size))
    for point in points(3, 5, [draw_logit]):
        logp, mu, tau, theta = evaluate(**point)
        expected_theta, effects = study_effects(data, mu, tau, point["z"])
        np.testing.assert_allclose(theta, expected_theta, rtol=1e-12)
        logit = point["logit_larger_risk"]
        larger = 1 / (1 + np.exp(-logit))
        smaller = larger * np.exp(-np.abs(theta))
        risk_e, risk_c = np.where(theta > 0, larger, smaller), np.where(theta > 0, smaller, larger)
        arms = [
            (data.columns[f"events_{arm}"], data.columns[f"n_{arm}"], risk)
            for arm, risk in (("e", risk_e), ("c", risk_c))
        ]
        likelihood = sum(stats.binom.logpmf(*arm).sum() for arm in arms)
        baseline = stats.norm.logpdf(logit, 0, 10).sum()
        found.append(logp)
        expected.append(prior_density(point) + effects + baseline + likelihood)
    assert_same_density(found, expected)


#: what users write, and its log density on the logit (or log) scale
BASELINES = {
    "": stats.norm(0, 10).logpdf,
    "Normal(-1, 2)": stats.norm(-1, 2).logpdf,
    "StudentT(4, -1, 2)": stats.t(4, -1, 2).logpdf,
    "Cauchy(-1, 2)": stats.cauchy(-1, 2).logpdf,
    "Logistic(-1, 2)": stats.logistic(-1, 2).logpdf,
    "Beta(1.5, 3)": lambda x: stats.beta(1.5, 3).logpdf(expit(x)) + np.log(expit(x) * expit(-x)),
}


EVENT_MODELS = {
    "binary_rr": (rr_data, "logit_larger_risk"),
    "binary_or": (or_data, "mid_logit"),
    "rate_irr": (irr_data, "mid_log_rate"),
}


@pytest.mark.parametrize(
    ("name", "baseline"),
    [(name, text) for name in EVENT_MODELS for text in BASELINES if (name, text[:4]) != ("rate_irr", "Beta")],
)
def test_models_of_events_are_the_likelihood_with_the_baseline_prior_given(name, baseline):
    make, nuisance = EVENT_MODELS[name]
    data = make()
    priors = replace(PRIORS, baseline=parse_prior(baseline) if baseline else None)
    model = load_model(name).build(data, priors)
    # heavy-tailed baselines are sampled on another scale
    heavy = baseline.startswith(("StudentT", "Cauchy"))
    moving = "baseline_w" if heavy else nuisance
    assert {variable.name for variable in model.free_RVs} == {"mu", "tau", "z", moving}
    assert model.named_vars_to_dims[nuisance] == ("study",)
    assert set(data_values(data, priors)) == {variable.name for variable in model.data_vars}
    evaluate = Evaluated(model)
    found, expected = [], []
    for point in points(3, 3, [(moving, lambda rng, size: rng.normal(-0.5, 2, size))]):
        logp, mu, tau, theta = evaluate(**point)
        _, effects = study_effects(data, mu, tau, point["z"])
        value = -1 + 2 * np.sinh(point[moving]) if heavy else point[moving]
        jacobian = np.log(2 * np.cosh(point[moving])).sum() if heavy else 0.0
        np.testing.assert_allclose(baseline_log_density(priors.baseline, value), BASELINES[baseline](value), rtol=1e-9)
        likelihood = likelihood_for(data.likelihood, data.measure).log_density(data.columns, theta, value).sum()
        found.append(logp)
        expected.append(prior_density(point) + effects + BASELINES[baseline](value).sum() + jacobian + likelihood)
    assert_same_density(found, expected)


def test_odds_model_is_scipys_binomial_and_rates_model_scipys_poisson():
    for name, data, nuisance in (("binary_or", or_data(), "mid_logit"), ("rate_irr", irr_data(), "mid_log_rate")):
        evaluate = Evaluated(load_model(name).build(data, PRIORS))
        found, expected = [], []
        for point in points(3, 4, [(nuisance, lambda rng, size: rng.normal(-0.5, 2, size))]):
            logp, mu, tau, theta = evaluate(**point)
            _, effects = study_effects(data, mu, tau, point["z"])
            likelihood = 0.0
            for arm, sign in (("e", 0.5), ("c", -0.5)):
                at, events = point[nuisance] + sign * theta, data.columns[f"events_{arm}"]
                likelihood += (
                    stats.binom.logpmf(events, data.columns[f"n_{arm}"], expit(at)).sum()
                    if name == "binary_or"
                    else stats.poisson.logpmf(events, data.columns[f"time_{arm}"] * np.exp(at)).sum()
                )
            found.append(logp)
            expected.append(
                prior_density(point) + effects + stats.norm.logpdf(point[nuisance], 0, 10).sum() + likelihood
            )
        assert_same_density(found, expected)


def test_the_gradient_of_a_saturated_arm_is_bounded_and_its_density_exact():
    import pytensor
    import pytensor.tensor as pt

    from bayesmeta.engines.nuts.blocks import log1mexp_with_bounded_slope

    x = pt.dvector("x")
    value = log1mexp_with_bounded_slope(x, pt.constant(np.full(4, 150.0)))
    call = pytensor.function([x], [value, pytensor.grad(value.sum(), x)], mode="FAST_COMPILE")
    at = np.array([-3.0, -0.01, -1e-3, -1e-12])
    found, slope = call(at)
    np.testing.assert_allclose(found, np.log(-np.expm1(at)), rtol=1e-12)
    np.testing.assert_allclose(slope, [-1 / np.expm1(3.0), -1 / np.expm1(0.01), -150, -150], rtol=1e-12)


def test_a_beta_prior_for_a_rate_is_refused():
    with pytest.raises(SpecError, match=r"a rate has no upper limit, so Beta\(1, 1\) cannot be its prior"):
        load_model("rate_irr").build(irr_data(), replace(PRIORS, baseline=parse_prior("Beta(1, 1)")))


def test_noncentral_t_model_is_the_hierarchical_model():
    data = smd_data()
    model = load_model("continuous_smd").build(data, PRIORS)
    assert {variable.name for variable in model.free_RVs} == {"mu", "tau", "z", "chi2"}
    evaluate = Evaluated(model)
    df = data.columns["df"]
    found, expected = [], []
    draw = ("chi2_log__", lambda rng, size: np.log(stats.chi2.rvs(df, size=size, random_state=rng)))
    for point in points(3, 5, [draw]):
        logp, mu, tau, theta = evaluate(**point)
        expected_theta, effects = study_effects(data, mu, tau, point["z"])
        np.testing.assert_allclose(theta, expected_theta, rtol=1e-12)
        v = np.exp(point["chi2_log__"])
        w = np.sqrt(v / df)
        latent = (stats.chi2.logpdf(v, df) + point["chi2_log__"]).sum()
        likelihood = stats.norm.logpdf(data.columns["t"], theta * data.columns["root_n"] / w, 1 / w).sum()
        found.append(logp)
        expected.append(prior_density(point) + effects + latent + likelihood)
    assert_same_density(found, expected)


def test_without_its_latent_variable_the_noncentral_t_model_is_the_noncentral_t():
    whole = smd_data()
    table = pd.DataFrame(
        {"study": ["C"], "mean_e": [3.0], "sd_e": [1.5], "n_e": [3], "mean_c": [2.0], "sd_c": [1.0], "n_c": [2]}
    )
    data = model_data(effect_sizes(read_studies(table), "SMD"), "nct")
    assert data.columns["t"][0] == whole.columns["t"][2]
    evaluate = Evaluated(load_model("continuous_smd").build(data, PRIORS))
    point = {"mu": 0.3, "tau_log__": np.log(0.4), "z": [0.8]}
    _, mu, tau, theta = evaluate(**point, chi2_log__=[0.0])
    value, _ = quad(lambda u: np.exp(evaluate(**point, chi2_log__=[u])[0]), -12, 5, limit=200)
    _, effects = study_effects(data, mu, tau, np.array(point["z"]))
    nct = stats.nct.logpdf(data.columns["t"], data.columns["df"], theta * data.columns["root_n"])[0]
    assert np.log(value) == pytest.approx(prior_density(point) + effects + nct, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "data", "nuisance"),
    [
        ("generic_normal", normal_data(), None),
        ("binary_rr", rr_data(), ("logit_larger_risk", stats.norm(0, 10).logpdf, lambda v: 0 * v)),
        ("binary_or", or_data(), ("mid_logit", stats.norm(0, 10).logpdf, lambda v: 0 * v)),
        ("rate_irr", irr_data(), ("mid_log_rate", stats.norm(0, 10).logpdf, lambda v: 0 * v)),
        ("continuous_smd", smd_data(), ("chi2_log__", lambda u: stats.chi2(1).logpdf(np.exp(u)), lambda u: u)),
    ],
    ids=["generic_normal", "binary_rr", "binary_or", "rate_irr", "continuous_smd"],
)
def test_padding_adds_nothing(name, data, nuisance):
    plain = Evaluated(load_model(name).build(data, PRIORS))
    padded = Evaluated(load_model(name).build(data.padded(6), PRIORS))
    rng = np.random.default_rng(8)
    differences = []
    for point in points(3, 3):
        real = dict(point)
        if nuisance:
            real[nuisance[0]] = rng.normal(1, 1, size=3)
        more = {key: np.concatenate([value, rng.normal(size=3)]) for key, value in real.items() if np.ndim(value)}
        without, *_ = plain(**real)
        found, mu, tau, theta = padded(**{**real, **more})
        np.testing.assert_allclose(theta[:3], plain(**real)[3], rtol=1e-12)
        # the padding's own standard normals (and nuisance variables) integrate to one for any value of the others
        z = more["z"][3:]
        assert np.isfinite(found)
        own = stats.norm.logpdf(z).sum()
        if nuisance:
            values = more[nuisance[0]][3:]
            own += (nuisance[1](values) + nuisance[2](values)).sum()
        assert found - without == pytest.approx(own, abs=3e-6)
        share = tau**2 / (tau**2 + 1e8)
        exact = stats.norm.logpdf(mu - share * mu + np.sqrt(share * 1e8) * z, mu, tau) + 0.5 * np.log(share * 1e8)
        differences.append(found - without - (own - stats.norm.logpdf(z).sum() + exact.sum()))
    np.testing.assert_allclose(differences, differences[0], rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["generic_normal", "binary_rr", "binary_or", "rate_irr", "continuous_smd"])
def test_the_gradient_is_right_and_stays_finite(name):
    data = {
        "generic_normal": normal_data,
        "binary_rr": rr_data,
        "binary_or": or_data,
        "rate_irr": irr_data,
        "continuous_smd": smd_data,
    }[name]()
    evaluate = Evaluated(load_model(name).build(data, PRIORS), gradient=True)
    rng = np.random.default_rng(1)
    point = {"mu": 0.4, "tau_log__": -0.7, "z": rng.normal(size=3)}
    point |= {key: rng.normal(1, 1, size=3) for key in evaluate.names[3:]}
    gradient = evaluate(**point)[-1]
    step, position = 1e-5, 0
    for key in evaluate.names:
        value = np.asarray(point[key], dtype=float)
        for i in range(value.size):
            nudge = np.zeros(value.size)
            nudge[i] = step
            up, down = (evaluate(**{**point, key: value + sign * nudge.reshape(value.shape)})[0] for sign in (1, -1))
            assert gradient[position] == pytest.approx((up - down) / (2 * step), rel=1e-5, abs=1e-5)
            position += 1
    for mu, log_tau, z, other in [(0, -30, 0, 30), (0, -30, 0, -30), (40, 2, 3, 5), (-40, 2, -3, -5), (0, 0, 0, 0)]:
        extreme = {"mu": mu, "tau_log__": log_tau, "z": np.full(3, z)}
        extreme |= {key: np.full(3, min(other, 6) if key.startswith("chi2") else other) for key in evaluate.names[3:]}
        logp, *_, gradient = evaluate(**extreme)
        assert np.isfinite(logp), extreme
        assert np.isfinite(gradient).all(), extreme


TAU_PRIORS = {
    "HalfNormal(0.5)": stats.halfnorm(scale=0.5), "HalfCauchy(0.3)": stats.halfcauchy(scale=0.3),
    "Uniform(0, 2)": stats.uniform(0, 2), "Uniform(0.1, 0.9)": stats.uniform(0.1, 0.8), "Exponential(2)": stats.expon(scale=0.5),
    "LogNormal(-1, 0.7)": stats.lognorm(0.7, scale=np.exp(-1)), "Gamma(2, 3)": stats.gamma(2, scale=1 / 3),
    "InvGamma(1.5, 0.4)": stats.invgamma(1.5, scale=0.4),
}  # fmt: skip


def half_t(x):
    return np.log(2) + stats.t.logpdf(x, 4, scale=0.5)


def log_t(x):
    return stats.t.logpdf(np.log(x), 5, -1.2, 0.8) - np.log(x)


DENSITIES = {text: frozen.logpdf for text, frozen in TAU_PRIORS.items()}
DENSITIES |= {"HalfT(4, 0.5)": half_t, "LogT(5, -1.2, 0.8)": log_t}


def transformed(model, name):
    """The log density of one variable without the change of variables of its transform, and its value there."""
    import pytensor

    free = model.value_vars[0]
    value = model.replace_rvs_by_values([model[name]])[0]
    call = pytensor.function([free], [model.logp(), value, pytensor.gradient.grad(value, free)], mode="FAST_COMPILE")

    def at(x):
        logp, shown, slope = call(x)
        return float(logp) - np.log(float(slope)), float(shown)

    return at


@pytest.mark.parametrize("on_variance", [False, True], ids=["tau", "tau2"])
@pytest.mark.parametrize("text", DENSITIES)
def test_priors_for_tau_have_their_density(text, on_variance):
    import pymc as pm

    from bayesmeta.engines.nuts.blocks import add_priors

    priors = Priors(Prior("Flat", ()), parse_prior(text), on_variance)
    with pm.Model() as model:
        add_priors(priors)
    # the flat mu adds nothing, so what is left is the density of tau
    at = _only(model, "tau")
    for x in (-1.1, -0.2, 0.6):
        logp, tau = at(x)
        expected = DENSITIES[text](tau**2) + np.log(2 * tau) if on_variance else DENSITIES[text](tau)
        assert logp == pytest.approx(expected, rel=1e-6, abs=1e-6)
        assert float(priors.log_tau_density(tau)) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def _only(model, name):
    import pytensor

    (free,) = [variable for variable in model.value_vars if variable.name != "mu"]
    value = model.replace_rvs_by_values([model[name]])[0]
    outputs = [model.logp(), value, pytensor.gradient.grad(value, free)]
    call = pytensor.function([*model.value_vars], outputs, mode="FAST_COMPILE")
    order = [variable.name for variable in model.value_vars]

    def at(x):
        logp, shown, slope = call(*({"mu": 0.3}.get(item, x) for item in order))
        return float(logp) - np.log(float(slope)), float(shown)

    return at


MU_PRIORS = {
    "Normal(0.2, 1.5)": stats.norm(0.2, 1.5), "StudentT(4, 0.2, 1.5)": stats.t(4, 0.2, 1.5), "Cauchy(0.1, 2)": stats.cauchy(0.1, 2),
    "Uniform(-3, 2)": stats.uniform(-3, 5),
}  # fmt: skip


@pytest.mark.parametrize("text", MU_PRIORS)
def test_priors_for_mu_have_their_density(text):
    import pymc as pm

    with pm.Model() as model:
        parse_prior(text).to_pymc("mu")
    at = transformed(model, "mu")
    for x in (-1.1, -0.2, 0.6):
        logp, mu = at(x)
        assert logp == pytest.approx(MU_PRIORS[text].logpdf(mu), rel=1e-6)


def test_the_example_of_a_users_model_file(tmp_path):
    """The file in the docstring of ``bayesmeta.modeling`` builds a model with the t distributed errors it describes."""
    text = bayesmeta.modeling.__doc__.split("::\n\n")[1].split("\n``python")[0]
    path = tmp_path / "robust.py"
    path.write_text(textwrap.dedent(text))
    file = load_model(path)
    assert (file.likelihoods, file.padded) == (("normal",), True)
    data = normal_data()
    model = file.build(data.padded(5), PRIORS)
    theta = np.array([0.2, -0.1, 1.0, 7.0, 8.0])
    found = model.compile_fn(model["log_likelihood"], inputs=[model["theta"]], point_fn=False)(theta)
    expected = stats.t(4, theta[:3], data.columns["se"]).logpdf(data.columns["effect"])
    np.testing.assert_allclose(found, [*expected, 0.0, 0.0], rtol=1e-8)


def test_the_models_of_the_package():
    assert {"binary_rr", "binary_or", "rate_irr", "continuous_smd", "generic_normal"} <= set(available_models())
    for name in available_models():
        model = load_model(name)
        assert model.name == name
        assert model.path.parent == model_folder().resolve()
        assert model.summary.endswith(".")
        assert load_model(name) is model
    assert default_model("RR", "binomial").name == "binary_rr"
    assert default_model("OR", "binomial").name == "binary_or"
    assert default_model("IRR", "poisson").name == "rate_irr"
    assert default_model("SMD", "nct").name == "continuous_smd"
    assert default_model("MD", "normal").name == "generic_normal"
    with pytest.raises(SpecError, match="no model is for MD with likelihood 'binomial'"):
        default_model("MD", "binomial")


def test_models_that_are_not_there(tmp_path):
    with pytest.raises(SpecError, match="did you mean 'binary_rr'"):
        load_model("binary_r")
    with pytest.raises(SpecError, match=r"no model file at .*mine\.py"):
        load_model(tmp_path / "mine.py")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def build(data, priors:\n", "cannot be imported: SyntaxError"),
        ("import a_module_nobody_has\n", "cannot be imported: ModuleNotFoundError"),
        ("1 / 0\n", "cannot be imported: ZeroDivisionError"),
        ("raise SystemExit(0)\n", "cannot be imported: SystemExit"),
        ("x = 1\n", r"must define build\(data, priors\)"),
        ("build = 3\n", r"must define build\(data, priors\)"),
        ("def build(data):\n    return None\n", r"must define build\(data, priors\)"),
    ],
)
def test_model_files_that_cannot_be_used(tmp_path, text, expected):
    path = tmp_path / "mine.py"
    path.write_text(text)
    with pytest.raises(SpecError, match=expected) as caught:
        load_model(path)
    assert str(path) in str(caught.value)


def test_a_model_file_that_changed_is_read_again(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text('"""First."""\ndef build(data, priors):\n    return 1\n')
    assert load_model(path).summary == "First."
    assert load_model(path).likelihoods == ("normal",)
    path.write_text('"""Second."""\nLIKELIHOODS = ("nct",)\ndef build(data, priors):\n    return 1\n')
    os.utime(path, ns=(1, 1))
    assert load_model(path).summary == "Second."
    assert load_model(path).likelihoods == ("nct",)
