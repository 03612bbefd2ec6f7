"""Multi-arm trials against R metafor 3.8.1: rma.mv(y, V, mods = X, random = ~ contrast | study, rho = 1/2), optim BFGS, reltol 1e-15.

V is the covariance of the contrasts of a study with its first arm; 1/2 is added to all cells of studies with a zero.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from network_examples import smoking
from paths import REFERENCE_FOLDER

import bayesmeta as bm

#: by data and method: reference, tau2, QE and its df, log-likelihood, then estimate and standard error of each treatment
METAFOR = {
    ("smoking", "REML"): (
        "Group counselling", 0.45023010883, 202.618871213, 23, None,
        {
            "Individual counselling": (-0.159724098341, 0.353293446216), "No contact": (-0.868733467893, 0.372073308691),
            "Self-help": (-0.471564876780, 0.405451253701),
        },
    ),
    ("smoking", "ML"): (
        "Group counselling", 0.376392517109, 202.618871213, 23, -31.511187917,
        {
            "Individual counselling": (-0.154905883548, 0.332864440011), "No contact": (-0.849541898420, 0.350380291235),
            "Self-help": (-0.463988708925, 0.380888768570),
        },
    ),
    ("parkinson", "REML"): (
        "1", 0.0, 2.28936015428, 4, -1.88273120848,
        {
            "2": (-1.811340505242, 0.332377143081), "3": (-0.478269529087, 0.486800438415),
            "4": (-0.523513306864, 0.478786132431), "5": (-0.823513306864, 0.522030323958),
        },
    ),
}  # fmt: skip


def parkinson() -> pd.DataFrame:
    """Off time in seven trials of five drugs, one of three arms (NICE TSD 2)."""
    data = json.loads((REFERENCE_FOLDER / "exact_networks.json").read_text(encoding="utf-8"))["parkinson_tsd2"]
    frame = pd.DataFrame(data["rows"], columns=data["columns"])
    return frame.astype({"study": int, "treatment": int})


DATA = {"smoking": (smoking, "OR"), "parkinson": (parkinson, "MD")}


@pytest.mark.parametrize(("name", "method"), METAFOR)
def test_networks_with_multi_arm_trials_are_those_of_rma_mv(name: str, method: str) -> None:
    reference, tau2, q, df, likelihood, effects = METAFOR[name, method]
    read, measure = DATA[name]
    net = bm.network_meta(read(), measure, method=method, reference=reference)
    assert len(net.graph.multi_arm) > 0
    # metafor stops within 1e-7 of the optimum, and just above 0 where that is the optimum
    assert net.tau2 == pytest.approx(tau2, abs=1e-7)
    assert (net.q, net.q_df) == (pytest.approx(q, rel=1e-10), df)
    if likelihood is not None:  # the constant of REML depends on which arm of a trial is its first
        assert net.log_likelihood == pytest.approx(likelihood, abs=5e-8)
    for treatment, (estimate, se) in effects.items():
        assert net.effects.loc[treatment, reference] == pytest.approx(estimate, abs=2e-8)
        assert net.se.loc[treatment, reference] == pytest.approx(se, abs=2e-8)


@pytest.mark.parametrize(("name", "method"), METAFOR)
def test_the_exact_network_with_flat_priors_and_that_tau_too(name: str, method: str) -> None:
    reference, tau2, _, _, _, effects = METAFOR[name, method]
    read, measure = DATA[name]
    priors = {"d": "Flat()", "tau": f"Point({float(np.sqrt(tau2))!r})"}
    net = bm.network(read(), measure, reference=reference, priors=priors)
    for treatment, (estimate, se) in effects.items():
        term = f"{treatment} vs {reference}"
        assert net.mean(term) == pytest.approx(estimate, abs=2e-8)
        assert net.sd(term) == pytest.approx(se, abs=2e-8)
