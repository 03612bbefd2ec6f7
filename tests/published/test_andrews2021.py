"""Andrews et al. 2021 (Dev Rev 61:100977), parenting and child outcomes: 36 correlations, as analysed by NoBMA.reg of R's RoBMA 3.6.1."""

import json

import numpy as np
import pytest
from paths import REFERENCE_FOLDER

import bayesmeta as bm

DATA = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text())["andrews2021"]
PRIORS = {
    "Intercept": "Normal(0, 0.5)", "measure": "Normal(0, 0.125)", "age": "Normal(0, 0.125)", "tau": "InvGamma(1, 0.075)"
}  # fmt: skip
#: inclusion Bayes factors that RoBMA prints, by bridge sampling
PRINTED = {"effect": 6.643e5, "heterogeneity": 3.4385e40, "measure": 4.748, "age": 0.245}


@pytest.fixture(scope="module")
def fit():
    columns = {name: DATA[name] for name in ("measure", "age")}
    return bm.fit(
        yi=DATA["yi"], vi=DATA["vi"], data=columns, moderators="~ measure + age", priors=PRIORS, measure="SMD"
    )


def test_andrews2021_inclusion_bayes_factors_are_exact(fit):
    """By the 16 log marginal likelihoods of an independent quadrature."""
    found = bm.moderator_evidence(fit)
    log = dict(DATA["log_marginal_likelihood"])
    for at, name in enumerate(("effect", "heterogeneity", "measure", "age")):
        sides = [np.logaddexp.reduce([value for key, value in log.items() if key[at] == flag]) for flag in "10"]
        assert found.loc[name, "bf_inclusion"] == pytest.approx(np.exp(sides[0] - sides[1]), rel=1e-8)
    assert found["bf_inclusion"].to_list() == pytest.approx([662508, 3.4281e40, 4.7378, 0.244764], rel=2e-6, abs=0)


def test_andrews2021_robma_prints_the_same_to_the_accuracy_of_its_sampler(fit):
    found = bm.moderator_evidence(fit)
    for name, printed in PRINTED.items():
        assert found.loc[name, "bf_inclusion"] == pytest.approx(printed, rel=0.005)
    # mu on the scale of correlations .163 [.118, .208], tau .121 [.086, .167]
    effect = np.tanh(found.loc["effect", ["mean", "ci_low", "ci_high"]].to_numpy(float))
    np.testing.assert_allclose(effect, [0.163, 0.118, 0.208], atol=0.002)
    np.testing.assert_allclose(
        found.loc["heterogeneity", ["mean", "ci_low", "ci_high"]].to_numpy(float), [0.121, 0.086, 0.167], atol=0.002
    )
    np.testing.assert_allclose(found["mean"], [0.16538, 0.12146, 0.04801, 0.00321], atol=6e-6)
