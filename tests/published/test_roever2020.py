"""Roever 2020, J Stat Softw 93(6):1-51, the R package bayesmeta: its vignette, ``print(schools.example.1)``, the eight schools.

mu ~ Normal(0, 50), tau ~ half-Cauchy(25). The R package computes tau to all printed digits, and mu on a grid that is accurate
to about 1e-3 of its standard deviation (its arguments delta and epsilon), so mu is compared to that accuracy.
"""

import numpy as np
import pytest

import bayesmeta as bm

EFFECT = [28.39, 7.94, -2.75, 6.82, -0.64, 0.63, 18.01, 12.16]
STDERR = [14.9, 10.2, 16.3, 11.0, 9.4, 11.4, 10.4, 17.6]


@pytest.fixture(scope="module")
def schools() -> bm.Posterior:
    priors = {"mu": "Normal(0, 50)", "tau": "HalfCauchy(25)"}
    return bm.fit(yi=EFFECT, sei=STDERR, labels=list("ABCDEFGH"), measure="MD", likelihood="normal", priors=priors)


def test_roever2020_vignette_heterogeneity_to_all_printed_digits(schools: bm.Posterior) -> None:
    """Vignette of the R package bayesmeta (no pages), marginal posterior summary, column tau."""
    tau = bm.summarize(schools).loc["tau"]
    found = tau[["median", "mean", "sd", "hdi_low", "hdi_high"]].to_numpy(float)
    np.testing.assert_allclose(found, [4.758539, 5.884511, 4.869904, 0.0, 15.165894], atol=1e-6)


def test_roever2020_vignette_effect_to_the_accuracy_of_its_grid(schools: bm.Posterior) -> None:
    """Vignette of the R package bayesmeta (no pages), marginal posterior summary, column mu."""
    mu = bm.summarize(schools).loc["mu"]
    found = mu[["median", "mean", "sd", "hdi_low", "hdi_high"]].to_numpy(float)
    np.testing.assert_allclose(found, [7.962961, 7.985729, 4.995762, -1.823353, 17.824562], atol=0.01)


def test_roever2020_vignette_modes(schools: bm.Posterior) -> None:
    """Vignette of the R package bayesmeta (no pages), marginal posterior summary, row mode."""
    grid = np.linspace(7.5, 8.5, 2001)
    assert grid[np.argmax(schools.pdf("mu", grid))] == pytest.approx(7.929503, abs=0.01)
    tau = np.linspace(0.0, 20.0, 2001)
    assert np.argmax(schools.pdf("tau", tau)) == 0
