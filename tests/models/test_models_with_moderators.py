"""The PyMC models with a design matrix, without sampling: their log density at points against scipy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from model_densities import (
    Evaluated,
    assert_same_density,
    irr_data,
    normal_data,
    or_data,
    rr_data,
    smd_data,
    study_effects,
)
from scipy import stats

import bayesmeta.engines.nuts.programs as programs
from bayesmeta.effects.design import Design
from bayesmeta.engines.nuts.blocks import data_values
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.engines.nuts.programs import build_model
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors

PRIORS = Priors(Prior("Normal", (0.1, 2.82)), Prior("HalfNormal", (0.5,)))
#: columns of one, two and three coefficients
DESIGNS = {
    1: Design(np.array([[0.5], [1.0], [2.0]]), ("dose",)),
    2: Design(np.array([[1.0, 10.0], [1.0, 12.0], [1.0, 17.0]]), ("Intercept", "weeks")),
    3: Design(
        np.array([[1.0, 10.0, 0.0], [1.0, 12.0, 1.0], [1.0, 17.0, 1.0]]), ("Intercept", "weeks", "focus[T.parents]")
    ),
}
#: data, and the nuisance parameter with its log prior density on the scale on which it is sampled
MODELS = {
    "generic_normal": (normal_data, "", None),
    "binary_rr": (rr_data, "logit_larger_risk", stats.norm(0, 10).logpdf),
    "binary_or": (or_data, "mid_logit", stats.norm(0, 10).logpdf),
    "rate_irr": (irr_data, "mid_log_rate", stats.norm(0, 10).logpdf),
    "continuous_smd": (smd_data, "chi2_log__", None),
}


def with_design(name, p):
    return replace(MODELS[name][0](), design=DESIGNS[p])


def log_likelihood(data, theta, nuisance):
    if data.likelihood == "normal":
        return stats.norm.logpdf(data.columns["effect"], theta, data.columns["se"]).sum()
    if data.likelihood == "nct":
        chi2, df = np.exp(nuisance), data.columns["df"]
        w = np.sqrt(chi2 / df)
        latent = stats.chi2.logpdf(chi2, df) + nuisance
        return (latent + stats.norm.logpdf(data.columns["t"], theta * data.columns["root_n"] / w, 1 / w)).sum()
    return likelihood_for(data.likelihood, data.measure).log_density(data.columns, theta, nuisance).sum()


@pytest.mark.parametrize("p", DESIGNS)
@pytest.mark.parametrize("name", MODELS)
def test_the_density_is_that_of_the_regression(name, p):
    data, (_, nuisance, prior_of_nuisance) = with_design(name, p), MODELS[name]
    model = load_model(name).build(data, PRIORS)
    combinations = [f"combination_{j}" for j in range(p)]
    assert {variable.name for variable in model.free_RVs} >= {*combinations, "tau", "z"}
    assert set(data_values(data, PRIORS)) == {variable.name for variable in model.data_vars}
    evaluate = Evaluated(model)
    rng, means = np.random.default_rng(5), DESIGNS[p].matrix.mean(axis=0)
    spread = DESIGNS[p].matrix.std(axis=0, ddof=1)
    found, expected = [], []
    for _ in range(3):
        b = rng.normal(0, 0.3, p)
        # by definition: the effect at the means, then the slopes
        c = b.copy()
        priors = [stats.norm(0, 0.5 / s) for s in np.where(spread > 0, spread, 1.0)]
        if p > 1:
            c[0], priors[0] = means @ b, stats.norm(0.1, 2.82)
        point = dict(zip(combinations, c, strict=True)) | {"tau_log__": rng.normal(-1, 0.5), "z": rng.normal(size=3)}
        if nuisance:
            point[nuisance] = rng.normal(1, 1, 3)
        logp, tau, theta = evaluate(**point)
        expected_theta, effects = study_effects(data, DESIGNS[p].matrix @ b, tau, point["z"])
        np.testing.assert_allclose(theta, expected_theta, rtol=1e-10)
        value = effects + log_likelihood(data, theta, point.get(nuisance))
        value += sum(prior.logpdf(one) for prior, one in zip(priors, c, strict=True))
        value += stats.halfnorm.logpdf(tau, scale=0.5) + point["tau_log__"]
        value += prior_of_nuisance(point[nuisance]).sum() if prior_of_nuisance else 0.0
        found.append(logp)
        expected.append(value)
    assert_same_density(found, expected)


@pytest.mark.parametrize("p", DESIGNS)
def test_rows_of_padding_have_no_part_in_the_coefficients(p):
    data = with_design("generic_normal", p)
    for name, value in data_values(data, PRIORS).items():
        padded = data_values(data.padded(8), PRIORS)[name]
        whole = padded[:3] if name == "design" or (value.shape == (3,) and padded.shape == (8,)) else padded
        np.testing.assert_array_equal(whole, value)


def test_priors_by_name_are_literal_and_of_any_family():
    priors = replace(PRIORS, coefficients=(("Intercept", Prior("StudentT", (4.0, 0.0, 1.0))),))
    found = combination_priors(priors, DESIGNS[3])
    assert found.families == ("StudentT", "Normal", "Normal")
    np.testing.assert_array_equal(found.combinations, np.eye(3))
    b = np.array([[0.3, 0.01, -0.2], [1.0, 0.1, 0.4]])
    slopes = 0.5 / DESIGNS[3].matrix[:, 1:].std(axis=0, ddof=1)
    expected = stats.t.logpdf(b[:, 0], 4) + stats.norm.logpdf(b[:, 1:], 0, slopes).sum(axis=1)
    np.testing.assert_allclose(found.log_density(b), expected, rtol=1e-12)
    with pytest.raises(SpecError, match=r"a prior for 'week', but the coefficients of this model are Intercept, weeks"):
        combination_priors(replace(PRIORS, coefficients=(("week", Prior("Normal", (0.0, 1.0))),)), DESIGNS[2])


def test_each_group_has_the_prior_of_the_mean():
    groups = Design(np.array([[1.0, 0, 3], [1, 0, 5], [0, 1, 7], [0, 1, 9]]), ("focus[a]", "focus[b]", "weeks"))
    found = combination_priors(PRIORS, groups)
    assert [str(prior) for prior in found.priors[:2]] == ["Normal(0.1, 2.82)"] * 2
    np.testing.assert_array_equal(found.combinations, [[1, 0, 6], [0, 1, 6], [0, 0, 1]])


def test_the_density_of_the_default_prior_does_not_depend_on_the_coding():
    moved = Design(np.column_stack([np.ones(3), 3 * DESIGNS[2].matrix[:, 1] - 7]), ("Intercept", "weeks"))
    b = np.array([0.4, -0.02])
    # the same regression line in the other coding, with the Jacobian of the slope
    same = np.array([b[0] + 7 * b[1] / 3, b[1] / 3])
    one, other = combination_priors(PRIORS, DESIGNS[2]), combination_priors(PRIORS, moved)
    assert one.log_density(b) == pytest.approx(other.log_density(same) - np.log(3), rel=1e-12)


def test_a_program_serves_every_design_of_its_shape(monkeypatch):
    compiled = []
    monkeypatch.setattr(programs, "compiled", lambda model: compiled.append(model) or _Fake())
    monkeypatch.setattr(programs, "_PROGRAMS", {})
    file = load_model("generic_normal")
    other = Design(DESIGNS[2].matrix * [1.0, 3.0] + [0.0, 5.0], ("Intercept", "sessions"))
    for design in (DESIGNS[2], other):
        program = programs.program_for(file, replace(normal_data(), design=design).padded(4), PRIORS)
        np.testing.assert_array_equal(program.data["design"][:3], design.matrix)
    assert len(compiled) == 1
    programs.program_for(file, replace(normal_data(), design=DESIGNS[3]).padded(4), PRIORS)
    programs.program_for(file, normal_data().padded(4), PRIORS)
    assert len(compiled) == 3


class _Fake:
    data: dict[str, np.ndarray]

    def with_data(self, **values):
        program = _Fake()
        program.data = values
        return program


def test_a_model_file_without_moderators_says_so(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import pymc as pm\nfrom bayesmeta.modeling import add_data, add_priors, add_study_effects\n"
        "def build(data, priors):\n"
        "    with pm.Model(coords={'study': data.labels}) as model:\n"
        "        columns = add_data(data)\n        mu, tau = add_priors(priors)\n"
        "        theta = add_study_effects(mu, tau, columns)\n"
        "        pm.Normal('y', theta, columns['se'], observed=data.columns['effect'])\n    return model\n"
    )
    file = load_model(path)
    assert build_model(file, normal_data(), PRIORS)["mu"].ndim == 0
    with pytest.raises(SpecError, match=r"takes no moderators, but these data have the coefficients Intercept, weeks"):
        build_model(file, with_design("generic_normal", 2), PRIORS)
