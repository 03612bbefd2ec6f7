"""The sampler against quadrature and against brute-force integration; compiled models are reused where that is right, and only there."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from paths import REVIEWS_FOLDER
from scipy import stats

from bayesmeta.engines.nuts import programs as compiled_programs
from bayesmeta.engines.nuts import sampling as nuts
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.model.likelihoods.densities import log_risks
from bayesmeta.posterior.summary import summarize

STATISTICS = ("mean", "sd", "ci_low", "ci_high")


def pip_table(analysis):

    folder = REVIEWS_FOLDER / "pip"
    name = "continuous" if analysis == "1.2" else "dichotomous"
    frame = pd.read_csv(folder / f"{name}.csv", dtype={"analysis": str})
    return frame[frame["analysis"] == analysis].drop(columns="analysis")


def assert_within(drawn, expected, terms=("mu", "tau", "theta_new"), mcse=4.0):
    """Every statistic of the draws within so many Monte Carlo standard errors of what is expected."""
    summary = summarize(drawn)
    for term in terms:
        for statistic in STATISTICS:
            difference = summary.loc[term, statistic] - expected[term][statistic]
            error = summary.loc[term, f"mcse_{statistic}"]
            assert abs(difference) < mcse * error, (
                term,
                statistic,
                summary.loc[term, statistic],
                expected[term][statistic],
                error,
            )


def assert_converged(posterior):
    diagnostics = posterior.solution.diagnostics
    assert nuts.converged(diagnostics)
    assert diagnostics["r_hat"] < 1.01
    assert min(diagnostics["ess_bulk"], diagnostics["ess_tail"]) > 400
    assert diagnostics["divergences"] == 0
    assert posterior.solution.draws["mu"].shape == (4, diagnostics["draws"])


def by_quadrature(posterior, fit, studies, measure):
    priors = {"mu": posterior.priors.mu, "tau": posterior.priors.scale}
    summary = summarize(fit(studies, measure=measure, likelihood="normal", priors=priors, engine="quadrature"))
    return summary.T.to_dict()


def brute_force(log_likelihoods, theta, mu, tau, mu_prior, tau_prior):
    """Posterior of mu, tau and theta_new from tabulated likelihoods of the studies' effects, on grids.

    ``log_likelihoods`` has one row a study, on the grid ``theta``. The study effects are integrated out by Gauss-Hermite at
    mu + tau z, the rest by sums.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(40)
    log_weight = np.log(weight / weight.sum())
    joint = np.empty((len(tau), len(mu)))
    for i, scale in enumerate(tau):
        at = mu[:, None] + scale * z
        total = mu_prior.logpdf(mu) + tau_prior.logpdf(scale)
        for row in log_likelihoods:
            values = np.interp(at, theta, row) + log_weight
            top = values.max(axis=1)
            total = total + top + np.log(np.exp(values - top[:, None]).sum(axis=1))
        joint[i] = total
    joint = np.exp(joint - joint.max())
    joint /= joint.sum()

    def describe(grid, probability):
        mean = probability @ grid
        cumulative = np.cumsum(probability) - 0.5 * probability
        low, high = np.interp([0.025, 0.975], cumulative, grid)
        return {"mean": mean, "sd": np.sqrt(probability @ grid**2 - mean**2), "ci_low": low, "ci_high": high}

    new = np.linspace(mu[0] - 3 * tau[-1], mu[-1] + 3 * tau[-1], 1500)
    edges = np.concatenate([new - 0.5 * (new[1] - new[0]), [new[-1] + 0.5 * (new[1] - new[0])]])
    cdf = sum(share @ stats.norm.cdf((edges - mu[:, None]) / scale) for scale, share in zip(tau, joint, strict=True))
    return {
        "mu": describe(mu, joint.sum(axis=0)),
        "tau": describe(tau, joint.sum(axis=1)),
        "theta_new": describe(new, np.diff(cdf)),
    }


def binomial_by_brute_force(table):
    theta = np.linspace(-24, 24, 2401)
    logit = np.linspace(-55, 55, 1801)
    log_prior = stats.norm.logpdf(logit, 0, 10)
    rows = []
    for r_e, n_e, r_c, n_c in table[["events_e", "n_e", "events_c", "n_c"]].to_numpy(float):
        counts = (r_e, n_e - r_e, r_c, n_c - r_c)
        parts = log_risks(theta[:, None], logit)
        total = log_prior + sum(count * part for count, part in zip(counts, parts, strict=True) if count)
        top = total.max(axis=1)
        rows.append(top + np.log(np.exp(total - top[:, None]).sum(axis=1)))
    grid_mu, grid_tau = np.linspace(-10.5, 9, 261), (np.arange(104) + 0.5) * 0.025
    return brute_force(rows, theta, grid_mu, grid_tau, stats.norm(0, 2.82), stats.halfnorm(scale=0.5))


@pytest.mark.sampling
def test_bcg_agrees_with_quadrature(bcg_nuts, bcg, fit):
    assert_converged(bcg_nuts)
    assert_within(bcg_nuts, by_quadrature(bcg_nuts, fit, bcg, "RR"))


@pytest.mark.sampling
def test_three_trials_agree_with_quadrature(depression_nuts, fit):
    assert_converged(depression_nuts)
    assert depression_nuts.data.labels == ("Trial A", "Trial B", "Trial C")
    expected = by_quadrature(depression_nuts, fit, pip_table("1.1"), "RR")
    assert_within(depression_nuts, expected)
    assert_within(depression_nuts, expected, terms=[f"theta[Trial {x}]" for x in "ABC"], mcse=4.5)


@pytest.mark.sampling
def test_zero_cells_agree_with_brute_force(resistant_nuts):
    assert_converged(resistant_nuts)
    assert resistant_nuts.method == "bayes:binomial:nuts"
    assert_within(resistant_nuts, binomial_by_brute_force(pip_table("1.11")))


@pytest.mark.sampling
@pytest.mark.usefixtures("resistant_nuts")
def test_a_double_zero_study_agrees_with_brute_force(fit):
    table = pd.DataFrame(
        {
            "study": ["A", "B", "C"],
            "events_e": [3, 0, 6],
            "n_e": [40, 60, 55],
            "events_c": [7, 0, 9],
            "n_c": [41, 30, 52],
        }
    )
    posterior = fit(table, measure="RR", likelihood="binomial", engine="nuts", seed=21)
    assert_converged(posterior)
    assert posterior.data.labels == ("A", "B", "C")
    assert_within(posterior, binomial_by_brute_force(table))


@pytest.mark.sampling
@pytest.mark.usefixtures("resistant_nuts")
def test_arms_in_which_all_have_the_event_agree_with_brute_force(fit):
    # where the gradient is bounded (log1mexp_with_bounded_slope) the posterior must not change
    table = pd.DataFrame(
        {"study": list("ABCD"), "events_e": [1, 0, 4, 2], "n_e": [5] * 4, "events_c": [2, 3, 5, 2], "n_c": [5] * 4}
    )
    posterior = fit(table, measure="RR", likelihood="binomial", engine="nuts", seed=3)
    assert_converged(posterior)
    assert_within(posterior, binomial_by_brute_force(table))


@pytest.mark.sampling
def test_noncentral_t_agrees_with_brute_force(symptoms_nuts):
    assert_converged(symptoms_nuts)
    columns = symptoms_nuts.data.columns
    theta = np.linspace(-3, 3, 3001)
    with np.errstate(all="ignore"):
        rows = [
            np.maximum(stats.nct.logpdf(t, df, theta * root_n), -700)
            for t, df, root_n in zip(columns["t"], columns["df"], columns["root_n"], strict=True)
        ]
    grid_mu, grid_tau = np.linspace(-2, 1.6, 301), (np.arange(120) + 0.5) * 0.015
    assert_within(
        symptoms_nuts, brute_force(rows, theta, grid_mu, grid_tau, stats.norm(0, 2), stats.halfnorm(scale=0.5))
    )


@pytest.mark.sampling
@pytest.mark.usefixtures("depression_nuts")
def test_a_compiled_model_is_given_other_data_and_other_priors(fit):
    programs, graphs = len(compiled_programs._PROGRAMS), len(compiled_programs._GRAPHS)
    table = pip_table("1.2")
    priors = {"mu": "Normal(0.3, 0.2)", "tau": "HalfNormal(0.1)"}
    four = fit(table, measure="SMD", likelihood="normal", priors=priors, engine="nuts", model="generic_normal", seed=5)
    assert_within(four, by_quadrature(four, fit, table, "SMD"))
    assert four.data.k == 4
    two = fit(
        yi=[5.0, 5.4],
        sei=[0.3, 0.2],
        labels=["X", "Y"],
        priors={"mu": "Normal(4, 3)", "tau": "HalfNormal(0.5)"},
        engine="nuts",
    )
    exact = fit(
        yi=[5.0, 5.4],
        sei=[0.3, 0.2],
        labels=["X", "Y"],
        priors={"mu": "Normal(4, 3)", "tau": "HalfNormal(0.5)"},
        engine="quadrature",
    )
    assert_within(two, summarize(exact).T.to_dict())
    assert two.solution.draws["theta"].shape[2] == 2
    assert (len(compiled_programs._PROGRAMS), len(compiled_programs._GRAPHS)) == (programs, graphs)
    # another file that builds the same graph uses the same compiled model
    fit(table, measure="SMD", likelihood="normal", engine="nuts", model="continuous_smd")
    assert len(compiled_programs._GRAPHS) == graphs


@pytest.mark.sampling
@pytest.mark.usefixtures("depression_nuts")
def test_the_same_seed_gives_the_same_draws(fit):
    table = pip_table("1.1")
    one, two, other = (fit(table, measure="RR", likelihood="normal", engine="nuts", seed=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one.solution.draws["mu"], two.solution.draws["mu"])
    np.testing.assert_array_equal(one.solution.draws["theta_new"], two.solution.draws["theta_new"])
    assert not np.array_equal(one.solution.draws["mu"], other.solution.draws["mu"])


HARD_CODED = '''"""A user's own model: the data are constants in it."""
import pymc as pm

LIKELIHOODS = ("normal",)


def build(data, priors):
    with pm.Model(coords={"study": data.labels}) as model:
        mu, tau = priors.mu.to_pymc("mu"), priors.scale.to_pymc("tau")
        z = pm.Normal("z", 0, 1, dims="study")
        theta = pm.Deterministic("theta", mu + tau * z, dims="study")
        pm.Normal("y", theta, data.columns["se"], observed=data.columns["effect"])
    return model
'''


@pytest.mark.sampling
def test_a_users_model_with_its_data_built_in_is_compiled_for_each_table(tmp_path, fit):
    path = tmp_path / "mine.py"
    path.write_text(HARD_CODED)
    before = len(compiled_programs._GRAPHS)
    priors = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.3)"}
    for count, effects in enumerate([[0.1, 0.5], [-1.5, -1.0]], 1):
        data = {"yi": effects, "sei": [0.3, 0.3], "priors": priors}
        posterior = fit(**data, engine="nuts", model=path, seed=count)
        assert posterior.model == "mine"
        assert_converged(posterior)
        exact = summarize(fit(**data, engine="quadrature")).T.to_dict()
        assert_within(posterior, exact, terms=("mu", "tau", "theta[1]"))
        assert len(compiled_programs._GRAPHS) == before + count


OWN_PRIORS = '''"""A user's own model: padded as it should be, but with priors of its own."""
import pymc as pm
from bayesmeta.modeling import add_data, add_study_effects

LIKELIHOODS = ("normal",)
PADDED = True


def build(data, priors):
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        mu, tau = pm.Normal("mu", 0, 1), pm.HalfNormal("tau", 0.3)
        theta = add_study_effects(mu, tau, columns)
        density = pm.logp(pm.Normal.dist(theta, columns["se"]), columns["effect"])
        pm.Potential("log_likelihood", columns["included"] * density)
    return model
'''


@pytest.mark.sampling
def test_a_model_that_declares_padding_and_has_priors_of_its_own_is_refused(tmp_path, fit):
    path = tmp_path / "own_priors.py"
    path.write_text(OWN_PRIORS)
    with pytest.raises(SpecError, match=r"own_priors\.py declares PADDED = True.*add_priors"):
        fit(yi=[0.1, 0.5], sei=[0.3, 0.3], engine="nuts", model=path)


@pytest.mark.sampling
def test_a_model_that_declares_padding_and_builds_its_data_in_is_refused(tmp_path, fit):
    path = tmp_path / "padded.py"
    text = HARD_CODED.replace(
        "import pymc as pm",
        "import pymc as pm\nfrom bayesmeta.modeling import add_data, add_priors\nPADDED = True",
    )
    text = text.replace('priors.mu.to_pymc("mu"), priors.scale.to_pymc("tau")', "add_priors(priors)")
    path.write_text(text.replace("        z = ", "        add_data(data)\n        z = "))
    with pytest.raises(SpecError, match=r"declares PADDED = True but builds numbers of the data into the model"):
        fit(
            yi=[0.1, 0.5],
            sei=[0.3, 0.3],
            priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.3)"},
            engine="nuts",
            model=path,
        )


@pytest.mark.sampling
@pytest.mark.usefixtures("depression_nuts")
def test_draws_that_do_not_converge_are_an_error_with_the_reason(monkeypatch, fit):
    monkeypatch.setattr(nuts, "ATTEMPTS", ((15, 15, 0.6), (20, 15, 0.7)))
    with pytest.raises(ConvergenceError) as caught:
        fit(pip_table("1.1"), measure="RR", likelihood="normal", engine="nuts")
    message = str(caught.value)
    for part in (
        "generic_normal",
        "2 attempts",
        "20 draws",
        "target_accept 0.7",
        "r_hat",
        "1.01",
        "ESS",
        "400",
        "divergences",
        "quadrature",
    ):
        assert part in message


def fake_tree(draws=1000, shift=0.0, names=("mu", "tau", "theta"), k=4, diverging=0):
    rng = np.random.default_rng(0)
    variables = {}
    for name in names:
        shape, dims = (
            ((4, draws, k), ("chain", "draw", "study")) if name in ("theta", "z") else ((4, draws), ("chain", "draw"))
        )
        values = np.abs(rng.normal(size=shape)) if name == "tau" else rng.normal(size=shape)
        values[0] += shift
        variables[name] = (dims, values)
    flags = np.zeros((4, draws), dtype=bool)
    flags[0, :diverging] = True
    stats_ = xr.Dataset({"diverging": (("chain", "draw"), flags)})
    return xr.DataTree.from_dict({"posterior": xr.Dataset(variables), "sample_stats": stats_})


@pytest.fixture
def stub(monkeypatch):
    """A sampler that returns the trees it is given, one per attempt."""
    calls = []

    def use(*trees):
        queue = list(trees)

        def run(file, data, _, settings, seed):
            calls.append((file.name, len(data.labels), settings, seed))
            return queue.pop(0)

        monkeypatch.setattr(nuts, "_run", run)
        return calls

    return use


def fit_three(fit, **options):
    return fit(
        yi=[0.1, 0.5, 0.2],
        sei=[0.3] * 3,
        priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.3)"},
        engine="nuts",
        **options,
    )


def test_sampling_is_repeated_with_more_draws_until_it_converges(stub, fit):
    calls = stub(fake_tree(shift=1.0), fake_tree(diverging=1), fake_tree())
    posterior = fit_three(fit, seed=9)
    assert calls == [("generic_normal", 4, settings, 9) for settings in nuts.ATTEMPTS]
    assert posterior.solution.diagnostics["attempts"] == 3
    assert posterior.solution.diagnostics["target_accept"] == nuts.ATTEMPTS[2][2]
    # the row of padding is gone
    assert posterior.solution.draws["theta"].shape == (4, 1000, 3)


@pytest.mark.parametrize("missing", ["mu", "tau", "theta"])
def test_a_model_without_its_variables_is_refused(stub, fit, missing):
    stub(fake_tree(names=[name for name in ("mu", "tau", "theta") if name != missing]))
    with pytest.raises(SpecError, match=f"no variable '{missing}'"):
        fit_three(fit)


def test_padding_does_not_decide_convergence(stub, fit):
    tree = fake_tree(k=4)
    tree["posterior"]["theta"].values[0, :, 3] += 10.0
    stub(tree)
    assert fit_three(fit).solution.diagnostics["attempts"] == 1


def test_convergence_is_checked_for_every_variable():
    good = fake_tree()["posterior"].to_dataset()
    found = nuts.convergence_diagnostics(good, np.zeros((4, 1000)))
    assert nuts.converged(found)
    bad = good.copy(deep=True)
    bad["theta"].values[0, :, 2] += 1.0
    assert nuts.convergence_diagnostics(bad, np.zeros((4, 1000)))["r_hat"] > 1.05


@pytest.mark.parametrize(
    ("change", "accepted"),
    [
        ({}, True), ({"r_hat": 1.01}, False), ({"r_hat": 1.0099}, True), ({"r_hat": float("nan")}, False),
        ({"ess_bulk": 400.0}, False), ({"ess_tail": 399.0}, False), ({"ess_tail": float("nan")}, False), ({"divergences": 1}, False),
    ],
)  # fmt: skip
def test_the_limits_of_convergence(change, accepted):
    good = {"r_hat": 1.001, "ess_bulk": 900.0, "ess_tail": 800.0, "divergences": 0}
    assert nuts.converged({**good, **change}) is accepted


def test_padded_sizes():
    assert [nuts.padded_size(k) for k in (1, 2, 4, 5, 8, 9, 13, 16, 17, 42)] == [4, 4, 4, 8, 8, 16, 16, 16, 32, 64]


def test_without_nutpie_pymcs_own_sampler_is_used(monkeypatch, fit):
    import pymc

    given = {}

    def sample(draws, **options):
        given.update(options, draws=draws)
        return fake_tree()

    monkeypatch.setitem(sys.modules, "nutpie", None)
    monkeypatch.setattr(pymc, "sample", sample)
    posterior = fit_three(fit, seed=4)
    assert {name: given[name] for name in ("draws", "tune", "chains", "random_seed", "target_accept", "progressbar")} == {
        "draws": 1000, "tune": 1000, "chains": 4, "random_seed": 4, "target_accept": 0.95, "progressbar": False,
    }  # fmt: skip
    assert isinstance(given["model"], pymc.Model)
    assert posterior.engine == "nuts"


def test_requests_nuts_cannot_meet(fit, tmp_path):
    data = {"yi": [0.1], "sei": [0.2], "engine": "nuts"}
    with pytest.raises(SpecError, match="did you mean 'generic_normal'"):
        fit(**data, model="generic_norma")
    with pytest.raises(SpecError, match="no model file at"):
        fit(**data, model=tmp_path / "none.py")
    with pytest.raises(SpecError, match="seed must be a whole number"):
        fit(**data, seed=-1)
    with pytest.raises(SpecError, match="quadrature' has no model files"):
        fit(yi=[0.1], sei=[0.2], engine="quadrature", model="generic_normal")


def test_a_sampler_that_cannot_start_is_reported(monkeypatch, fit):
    def failing(*_):
        raise RuntimeError("all initialization points failed")

    monkeypatch.setattr(nuts, "_run", failing)
    with pytest.raises(ConvergenceError, match=r"generic_normal: all initialization points failed"):
        fit_three(fit)


def test_a_model_file_whose_build_fails_is_named(tmp_path, fit):
    path = tmp_path / "broken.py"
    path.write_text("def build(data, priors):\n    return data.columns['no such column']\n", encoding="utf-8")
    with pytest.raises(SpecError, match=r"broken.py cannot build its model .* KeyError: 'no such column'"):
        fit(pip_table("1.1"), measure="RR", likelihood="normal", engine="nuts", model=str(path))
