"""Where reference programs stop their search early: the optimum is where the derivative is zero, computed here with 40 digits."""

from __future__ import annotations

from typing import Any

import mpmath as mp
import numpy as np
import pytest
from networks.reference_data import DATASETS, arm_frame, contrast_frame, numbers

import bayesmeta as bm


def restricted_score(net: bm.NetworkMeta, tau2: Any) -> Any:
    """Twice the derivative of the restricted log-likelihood by tau2, with mpmath."""
    c = net.contrasts
    s, r, x, y = (mp.matrix(matrix.tolist()) for matrix in (c.S, c.R, c.design(), c.y[:, None]))
    w = (s + tau2 * r) ** -1
    wx = w * x
    p = w - wx * (x.T * wx) ** -1 * wx.T
    whole = p * r
    return (y.T * whole * p * y)[0] - sum(whole[i, i] for i in range(whole.rows))


@pytest.mark.parametrize("name", ["smokingcessation", "Senn2013"])
def test_reml_is_the_root_of_the_score(name: str) -> None:
    """metafor's tau2 differs from ours by 5e-7 (smoking cessation): its own score is not zero there, and ours is the root to 1e-11."""
    data = DATASETS[name]
    net = bm.network_meta(contrast_frame(data["contrasts"]), data["measure"], method="REML")
    there = data["fits"]["metafor__REML"]["tau2"]
    with mp.workdps(40):
        root = mp.findroot(lambda tau2: restricted_score(net, tau2), (there, there * 1.001))
        assert abs(net.tau2 / root - 1) < mp.mpf("1e-10")
        ours, theirs = (abs(restricted_score(net, mp.mpf(tau2))) for tau2 in (net.tau2, there))
    assert ours < 1e-2 * theirs
    assert there == pytest.approx(float(root), rel=2e-6)


@pytest.mark.parametrize("name", [name for name in DATASETS if "netmetabin__NCH" in DATASETS[name]["fits"]])
def test_the_hypergeometric_optimum_has_no_slope(name: str) -> None:
    """netmeta's estimates differ from ours by 3e-5: the likelihood still rises there, and not at ours."""
    data = DATASETS[name]
    net = bm.network_meta(arm_frame(name), "OR", method="NCH", reference=data["reference"])
    there = data["fits"]["netmetabin__NCH"]
    theirs = numbers(there["TE_common"])[:, 0]
    order = [str(one) for one in there["trts"]]

    def likelihood_and_slope(effects: dict[str, float]) -> tuple[Any, float]:
        value, slope = mp.mpf(0), dict.fromkeys(effects, mp.mpf(0))
        for study, rows in net.data.arms.rows_by_study().items():
            arms = [
                (net.data.arms.treatments[i], *(float(net.data.arms.columns[c][i]) for c in ("events", "n")))
                for i in rows
            ]
            arms = [arm for arm in arms if arm[0] in kept[study]]
            total = sum(events for _, events, _ in arms)
            weights = [n * mp.e ** mp.mpf(effects[treatment]) for treatment, _, n in arms]
            for (treatment, events, _), weight in zip(arms, weights, strict=True):
                p = weight / sum(weights)
                value += events * mp.log(p)
                slope[treatment] += events - total * p
        return value, float(max(abs(one) for one in slope.values()))

    kept = arms_in_designs(net)
    with mp.workdps(30):
        ours = likelihood_and_slope(dict(zip(net.treatments, net.estimates.tolist(), strict=True)))
        other = likelihood_and_slope(dict(zip(order, theirs.tolist(), strict=True)))
    assert ours[1] < 1e-9
    assert other[1] > 1e3 * ours[1]
    assert ours[0] > other[0]
    np.testing.assert_allclose(net.effects.loc[order, order].to_numpy()[:, 0], theirs, atol=1e-4)


def arms_in_designs(net: bm.NetworkMeta) -> dict[str, set[str]]:
    """The treatments of each study that are left in its design: those with events in any study of it."""
    arms = net.data.arms
    designs: dict[tuple[str, ...], list[str]] = {}
    by_study = arms.rows_by_study()
    for study, rows in by_study.items():
        designs.setdefault(tuple(sorted(arms.treatments[i] for i in rows)), []).append(study)
    found = {}
    for treatments, studies in designs.items():
        events = {
            one: sum(
                arms.columns["events"][i] for study in studies for i in by_study[study] if arms.treatments[i] == one
            )
            for one in treatments
        }
        for study in studies:
            found[study] = {one for one in treatments if events[one] > 0}
    return found
