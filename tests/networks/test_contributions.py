"""Contributions of direct comparisons in Bayesian networks: the frequentist ones at tau, averaged over its posterior distribution."""

import numpy as np
import pandas as pd
import pytest
from network_examples import smoking

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.networks.frequentist.contributions import contribution_matrix

METHODS = ("shortest path", "random walk")


@pytest.fixture(scope="module")
def net() -> bm.NetworkPosterior:
    return bm.network(smoking(), "OR", reference="No contact")


@pytest.mark.parametrize("method", METHODS)
def test_a_known_tau_gives_the_frequentist_contributions(method: str) -> None:
    freq = bm.network_meta(smoking(), "OR", method="REML")
    net = bm.network(smoking(), "OR", priors={"tau": f"Point({freq.tau})"})
    expected, found = bm.contributions(freq, method), bm.contributions(net, method)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-10, atol=1e-12)
    assert expected.attrs == {"method": method, "tau": freq.tau}
    assert found.attrs == {"method": method, "tau": "posterior"}


@pytest.mark.parametrize("method", METHODS)
def test_otherwise_they_are_means_over_the_posterior_distribution_of_tau(net, method) -> None:
    found = bm.contributions(net, method)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-9)
    tau = net.draws(400)["tau"]
    drawn = contribution_matrix(net.contrasts, method, (tau**2).tolist(), np.full(400, 1 / 400).tolist())
    np.testing.assert_allclose(found, drawn, atol=0.01)


def test_they_are_of_exact_networks_of_treatments(net) -> None:
    frame = pd.DataFrame([("1", "A + B", "P", 0.1, 0.2), ("2", "A", "P", 0.2, 0.2), ("3", "B", "P", 0.2, 0.2)])
    frame.columns = ["study", "treat1", "treat2", "yi", "sei"]
    with pytest.raises(SpecError, match="a table of contributions is for networks without components"):
        bm.contributions(bm.network(frame, "SMD", components="+", inactive="P"))
    with pytest.raises(SpecError, match="unknown method of contributions"):
        bm.contributions(net, "streams")


def test_a_tree_has_no_q_between_designs() -> None:
    rows = [("1", "a", "p", 0.1, 0.2), ("2", "b", "p", 0.3, 0.2), ("3", "b", "p", 0.7, 0.3)]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])
    parts = bm.network_meta(frame, "MD").inconsistency()
    assert parts.loc["between designs", ["q", "df"]].tolist() == [0.0, 0.0]
    assert parts.loc["total", "q"] == pytest.approx(0.4**2 / (0.2**2 + 0.3**2))
