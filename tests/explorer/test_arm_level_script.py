"""Arm-level likelihoods as the page computes them from the tables of log m_i, against the package."""

import json

import numpy as np
import pandas as pd
import pytest
from explorer.scripts import run_scripts

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.engines.arm_level.solve import solve_arm
from bayesmeta.engines.arm_level.study_table import tabulate
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.reviews.explorer.likelihood_data import study_tables

#: on the model scale: of quantiles from 0.025 to 0.975, of those at 0.001 and 0.999, and of probabilities and log p(data)
TOLERANCE, IN_TAILS = 1e-6, 1e-5

SOLVE = """
const probabilities = [0.001, 0.025, 0.25, 0.5, 0.9, 0.975, 0.999];
return given.map(({tables, priors}) => {
  const studies = tables.map(table => ({...table, smoothed: new BM.SmoothedStudy(table)}));
  const model = new BM.ArmModel(studies, priors.mu);
  return priors.tau.map(tau => {
    const s = model.solve(tau);
    const of = (one) => probabilities.map(p => one.quantile(p));
    return {logTotal: s.logTotal, tau: of(s.tau), mu: of(s.mu), theta_new: of(s.fresh),
            below: [s.mu.cdf(0), s.fresh.cdf(0), s.mu.cdf(-0.2), s.fresh.cdf(0.3)]};
  });
});
"""
PROBABILITIES = np.array([0.001, 0.025, 0.25, 0.5, 0.9, 0.975, 0.999])


def counts(*rows: tuple[float, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["events_e", "n_e", "events_c", "n_c"])
    return frame.assign(study=[f"s{i}" for i in range(len(frame))])


def rates(*rows: tuple[float, ...]) -> pd.DataFrame:
    return counts(*rows).rename(columns={"n_e": "time_e", "n_c": "time_c"})


def means(*rows: tuple[float, ...]) -> pd.DataFrame:
    names = ["mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c"]
    return pd.DataFrame(rows, columns=names).assign(study=[f"s{i}" for i in range(len(rows))])


USUAL = counts((8, 48, 16, 49), (12, 60, 15, 58), (3, 31, 9, 30))
RARE = counts((0, 120, 3, 118), (1, 300, 4, 310), (2, 80, 2, 78), (0, 40, 0, 41))
LARGE = counts((400, 12000, 520, 11900), (33, 5069, 47, 5808), (505, 88391, 499, 88391), (4, 123, 11, 139))
CONTRADICTING = counts((30, 40, 5, 42), (4, 50, 33, 49), (20, 60, 22, 61))
CASES = {
    "risk ratio": ("binomial", "RR", USUAL), "odds ratio": ("binomial", "OR", USUAL),
    "risk ratio, rare": ("binomial", "RR", RARE), "odds ratio, rare": ("binomial", "OR", RARE),
    "risk ratio, large": ("binomial", "RR", LARGE), "risk ratio, contradicting": ("binomial", "RR", CONTRADICTING),
    "odds ratio, contradicting": ("binomial", "OR", CONTRADICTING),
    "rate ratio": ("poisson", "IRR", rates((4, 120.0, 9, 118.0), (0, 31.0, 3, 40.0), (15, 300.0, 22, 280.0))),
    "mean differences": ("nct", "SMD", means((8.0, 4.2, 34, 9.7, 4.4, 46), (20, 9, 28, 21, 11, 30), (5, 2, 12, 8, 2.2, 11))),
    "one study": ("nct", "SMD", means((8.0, 4.2, 34, 9.7, 4.4, 46))),
}  # fmt: skip
MU = [("Normal", (0.0, 2.82)), ("Normal", (-0.3, 0.1)), ("StudentT", (4.0, 0.0, 1.0))]
TAU = [
    ("HalfNormal", (0.5,), False), ("HalfNormal", (0.05,), False), ("HalfCauchy", (0.3,), False), ("Uniform", (0.0, 2.0), False),
    ("LogNormal", (-2.56, 1.74), True), ("LogT", (5.0, -1.925, 0.965), False), ("Exponential", (2.0,), False), ("Point", (0.2,), False),
]  # fmt: skip
#: with the first prior for mu all of them, with the others every third
FIRST, OTHERS = slice(None), slice(None, None, 3)


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> dict[tuple[str, int], list[dict]]:
    keys, given = [], []
    for name, (likelihood, measure, frame) in CASES.items():
        tables = study_tables(likelihood, measure, frame.to_dict("records"), None)
        assert all(tables)
        for i, (family, args) in enumerate(MU):
            tau = [{"family": f, "args": a, "onVariance": v} for f, a, v in TAU[OTHERS if i else FIRST]]
            keys.append((name, i))
            given.append({"tables": tables, "priors": {"mu": {"family": family, "args": args}, "tau": tau}})
    found = run_scripts(SOLVE, given, tmp_path_factory.mktemp("scripts"))
    return dict(zip(keys, found, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_the_page_agrees_with_the_package(name: str, answers):
    likelihood, measure, frame = CASES[name]
    data = model_data(effect_sizes(frame, measure), likelihood)
    for i, (mu, mu_args) in enumerate(MU):
        for (family, args, on_variance), answer in zip(TAU[OTHERS if i else FIRST], answers[name, i], strict=True):
            # with more nodes than by default: the page is more accurate than that in the tails
            priors = Priors(Prior(mu, mu_args), Prior(family, args), on_variance)
            exact = solve_arm(data, priors, nodes_per_panel=32, mu_nodes=(64, 96, 140))
            wide, what = PROBABILITIES[:, None], f"{name}: {mu}{mu_args}, {family}{args}"
            terms = {} if family == "Point" else {"tau": exact.scale.take("tau").quantile(wide)[:, 0]}
            marginals = {term: family for family in exact.effects for term in family.terms}
            for term in ("mu", "theta_new"):
                terms[term] = marginals[term].take(term).quantile(wide)[:, 0]
            for term, values in terms.items():
                inner, message = slice(1, -1), f"{what}, {term}"
                np.testing.assert_allclose(
                    answer[term][inner], values[inner], rtol=TOLERANCE, atol=TOLERANCE, err_msg=message
                )
                np.testing.assert_allclose(answer[term], values, rtol=IN_TAILS, atol=IN_TAILS, err_msg=message)
            at = [("mu", 0.0), ("theta_new", 0.0), ("mu", -0.2), ("theta_new", 0.3)]
            below = [float(marginals[term].take(term).cdf(np.array([[x]]))[0, 0]) for term, x in at]
            np.testing.assert_allclose(answer["below"], below, atol=TOLERANCE, err_msg=what)
            assert answer["logTotal"] == pytest.approx(exact.log_marginal_likelihood, abs=TOLERANCE), what


@pytest.mark.parametrize("name", CASES)
def test_the_tables_are_those_of_the_package(name: str):
    """Without a browser: the series are evaluated here as the scripts do."""
    likelihood, measure, frame = CASES[name]
    data = model_data(effect_sizes(frame, measure), likelihood)
    tables = study_tables(likelihood, measure, frame.to_dict("records"), None)
    for table, exact in zip(tables, tabulate(likelihood, measure, data.columns), strict=True):
        assert table is not None
        assert len(json.dumps(table)) < 6000
        for side, sign in zip(table["sides"], (-1, 1), strict=True):
            r = np.linspace(0.003, 1.0, 501)
            theta = table["split"] + (side["end"] - table["split"]) * r**2
            assert (np.sign(theta - table["split"]) == sign).all()
            panel = np.clip(np.searchsorted(side["cuts"], r, side="right") - 1, 0, len(side["series"]) - 1)
            cuts = np.array(side["cuts"])
            local = 2 * (r - cuts[panel]) / (cuts[panel + 1] - cuts[panel]) - 1
            value = [np.polynomial.chebyshev.chebval(t, side["series"][p]) for t, p in zip(local, panel, strict=True)]
            expected = exact.log_value(theta)
            allowed = 1e-8 * np.exp(np.clip(exact.peak - expected, 0, 60) / 3) + 1e-11 * np.abs(expected)
            assert (np.abs(value - expected) <= allowed).all()


def test_studies_without_the_data_have_no_table():
    rows = [
        *USUAL.to_dict("records"),
        {"study": "x", "events_e": float("nan"), "n_e": 3.0, "events_c": 1.0, "n_c": 4.0},
    ]
    rows.append({"study": "impossible", "events_e": 9.0, "n_e": 3.0, "events_c": 1.0, "n_c": 4.0})
    tables = study_tables("binomial", "RR", rows, Prior("Normal", (0.0, 2.0)))
    assert [table is not None for table in tables] == [True, True, True, False, False]
    assert tables[:3] == study_tables("binomial", "RR", rows[:3], Prior("Normal", (0.0, 2.0)))
    assert tables[0] != study_tables("binomial", "RR", rows[:1], None)[0]
