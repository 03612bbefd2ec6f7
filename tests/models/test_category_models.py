"""Log densities of the models of categories, at points, against scipy, and that the names of the categories do not matter to them."""

from __future__ import annotations

import numpy as np
import pytest
from model_densities import Evaluated, assert_same_density
from scipy import stats
from scipy.special import log_softmax

from bayesmeta.engines.nuts.category_arms import CategoryArms, category_arms, centred_basis
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.engines.nuts.network_arms import network_arms
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.networks.arm_level import guide_of_arms
from bayesmeta.networks.contrast_priors import ContrastPrior

PRIORS = Priors(Prior("Flat", ()), Prior("HalfNormal", (0.5,)), baseline=Prior("Normal", (0.0, 3.0)))
CONTRASTS = ContrastPrior(Prior("Normal", (0.0, 1.5))).coefficients(2)
TRIAL, TREATMENT = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2])
SPREAD = {
    1: np.array([[6.0, 7, 4, 14], [45, 5, 0, 9], [1, 11, 16, 12], [29, 6, 0, 3], [22, 6, 2, 9]])[:, None],
    2: np.array([[[3.0, 2], [3, 23]], [[4, 1], [41, 13]], [[0, 1], [1, 38]], [[1, 0], [28, 9]], [[1, 1], [21, 16]]]),
}


def arms(spread: np.ndarray, reference: int = 0, together: tuple[int, ...] = ()) -> CategoryArms:
    """Arms of two trials, one with three arms; in the last arm some cells were reported together."""
    n, b, c = spread.shape
    cells, counts, arm = [], [], []
    for i in range(n):
        groups = [[j] for j in range(b * c)]
        if i == n - 1 and together:
            groups = [list(together), *([j] for j in range(b * c) if j not in together)]
        for group in groups:
            cells.append(np.isin(np.arange(b * c), group))
            counts.append(spread[i].ravel()[group].sum())
            arm.append(i)
    numbers = (np.array(counts), np.array(arm), np.array(cells))
    names = tuple("abcd"[:c]), tuple("xy"[:b]) if b > 1 else ()
    return category_arms(
        names, ("A", "B", "C"), reference, ("s1", "s2"), TRIAL, TREATMENT, numbers, spread, CONTRASTS, 0.3
    )


def model_of(data: CategoryArms):
    name = "attachment_transition" if data.before else "attachment_multinomial"
    return load_model(name).build(data, PRIORS)


def some_point(data: CategoryArms, rng: np.random.Generator) -> dict[str, np.ndarray]:
    _, b, c = data.shape
    point = {
        "w": rng.normal(size=len(data.guide_contrasts)),
        "tau_log__": rng.normal(-1, 0.5),
        "z": rng.normal(size=len(data.r)),
        "baseline": 0.4 * rng.normal(size=2 * b * (c - 1)),
    }
    return point | ({"prevalence": 0.4 * rng.normal(size=2 * (b - 1))} if b > 1 else {})


def scales_of(data: CategoryArms, d: np.ndarray, tau: float) -> tuple[np.ndarray, np.ndarray]:
    share = tau**2 * data.r / (tau**2 * data.r + data.guide_variance)
    expected = data.expected @ d
    return expected + share * (data.guide_effect - expected), np.sqrt(share * data.guide_variance)


def log_joint(data: CategoryArms, point: dict[str, np.ndarray], effects: np.ndarray) -> np.ndarray:
    """Log probabilities of the cells of the arms by the formulas of the model files; effects against the first arm, shape (n, B, C)."""
    n, b, c = data.shape
    sd = 3.0 / np.sqrt(2)
    baseline = sd * point["baseline"].reshape(2, b, c - 1) @ centred_basis(c).T
    middle = np.array([effects[data.trial == i].mean(axis=0) for i in range(2)])
    found = log_softmax(baseline[data.trial] + effects - middle[data.trial], axis=-1)
    if b > 1:
        before = log_softmax(sd * point["prevalence"].reshape(2, b - 1) @ centred_basis(b).T, axis=-1)
        found = found + before[data.trial][:, :, None]
    return found.reshape(n, -1)


@pytest.mark.parametrize("reference", [0, 2])
@pytest.mark.parametrize(("b", "together"), [(1, ()), (1, (1, 2)), (2, ()), (2, (0, 2))])
def test_the_log_density_is_that_of_the_multinomial(b, together, reference) -> None:
    data = arms(SPREAD[b], reference, together)
    n, _, c = data.shape
    size = b * (c - 1)
    evaluate, rng = Evaluated(model_of(data)), np.random.default_rng(4)
    basis = np.kron(np.eye(b), centred_basis(c))
    found, expected = [], []
    for _ in range(4):
        point = some_point(data, rng)
        logp, tau, eta = evaluate(**point)
        d = data.guide_contrasts + data.guide_root @ point["w"]
        centre, scale = scales_of(data, d, float(tau))
        np.testing.assert_allclose(eta, centre + scale * point["z"], rtol=1e-9)
        whole = np.insert(d.reshape(2, size), reference, 0.0, axis=0)
        # coordinates of the effects against the first arm
        effects = (data.back @ eta).reshape(n, b * c)
        theta = effects @ basis
        total = 0.0
        for i in range(2):
            first, *others = np.flatnonzero(i == TRIAL)
            assert not effects[first].any()
            mean = np.concatenate([whole[TREATMENT[k]] - whole[TREATMENT[first]] for k in others])
            between = np.kron(0.5 * (np.eye(len(others)) + 1.0), 0.5 * tau**2 * np.eye(size))
            total += stats.multivariate_normal.logpdf(theta[others].ravel(), mean, between)
        # from z to theta; the second factor is constant
        total += np.log(scale).sum()
        # every log odds of two categories of every contrast: variance 1.5^2, correlation 1/2 between contrasts with one reference
        prior = np.kron(0.5 * (np.eye(2) + 1.0), 0.5 * 1.5**2 * np.eye(size))
        total += stats.multivariate_normal.logpdf(d, np.zeros(2 * size), prior)
        total += stats.halfnorm.logpdf(tau, scale=0.5) + point["tau_log__"]
        total += sum(stats.norm.logpdf(point[name]).sum() for name in ("baseline", "prevalence") if name in point)
        joint = np.exp(log_joint(data, point, effects.reshape(n, b, c)))
        np.testing.assert_allclose(joint.sum(axis=1), 1.0, rtol=1e-12)
        for k in range(n):
            rows = data.arm == k
            counts = data.counts[rows]
            total += stats.multinomial.logpmf(counts, int(counts.sum()), data.cells[rows] @ joint[k])
        found.append(logp)
        expected.append(total)
    constant = found[0] - expected[0]
    assert_same_density(np.array(found) - constant, expected)


@pytest.mark.parametrize(("b", "order"), [(1, (2, 0, 3, 1)), (2, (1, 0))])
def test_the_order_of_the_categories_changes_nothing(b, order) -> None:
    """The point that means the same has the same log density, to 1e-10, after relabelling."""
    one = arms(SPREAD[b], 1)
    n, _, c = one.shape
    other = arms(SPREAD[b][:, :, list(order)], 1)
    rng = np.random.default_rng(7)
    evaluate, again = Evaluated(model_of(one)), Evaluated(model_of(other))
    basis = centred_basis(c)
    for _ in range(3):
        point = some_point(one, rng)
        logp, tau, eta = evaluate(**point)
        d = one.guide_contrasts + one.guide_root @ point["w"]
        moved = (d.reshape(-1, b, c - 1) @ basis.T)[..., list(order)] @ basis
        effects = (one.back @ eta).reshape(n, b, c)[..., list(order)].ravel()
        eta_moved, *_ = np.linalg.lstsq(other.back, effects)
        np.testing.assert_allclose(other.back @ eta_moved, effects, atol=1e-11)
        centre, scale = scales_of(other, moved.ravel(), float(tau))
        image = point | {
            "w": np.linalg.solve(other.guide_root, moved.ravel() - other.guide_contrasts),
            "z": (eta_moved - centre) / scale,
            "baseline": ((point["baseline"].reshape(-1, c - 1) @ basis.T)[:, list(order)] @ basis).ravel(),
        }
        assert again(**image)[0] == pytest.approx(logp, abs=1e-10, rel=1e-13)


def test_two_categories_are_a_network_of_odds_ratios() -> None:
    events, n = np.array([3.0, 8, 0, 4, 20]), np.array([40.0, 42, 50, 51, 49])
    spread = np.stack([events, n - events], axis=1)[:, None]
    data = arms(spread)
    columns = {"events": events, "n": n}
    network = network_arms(
        "OR",
        "binomial arms",
        ("A", "B", "C"),
        0,
        ("s1", "s2"),
        TRIAL,
        TREATMENT,
        columns,
        guide_of_arms("OR", columns),
        CONTRASTS,
        0.3,
    )
    one, other = Evaluated(model_of(data)), Evaluated(load_model("network_binomial").build(network, PRIORS))
    rng, differences = np.random.default_rng(2), []
    for _ in range(4):
        point = some_point(data, rng)
        logp, tau, eta = one(**point)
        # the log odds is sqrt(2) times the coordinate
        d = np.sqrt(2) * (data.guide_contrasts + data.guide_root @ point["w"])
        theta = (data.back @ eta).reshape(5, 2)
        eta_network, *_ = np.linalg.lstsq(network.back, theta[:, 0] - theta[:, 1])
        share = tau**2 * network.r / (tau**2 * network.r + network.guide_variance)
        expected = network.expected @ d
        centre, scale = expected + share * (network.guide_effect - expected), np.sqrt(share * network.guide_variance)
        image = {
            "w": np.linalg.solve(network.guide_root, d - network.guide_contrasts),
            "tau_log__": point["tau_log__"],
            "z": (eta_network - centre) / scale,
            "baseline": 3.0 * point["baseline"],
        }
        # densities of z: of the same effects in other coordinates
        ours = np.log(scales_of(data, d / np.sqrt(2), float(tau))[1]).sum()
        differences.append(logp - ours - other(**image)[0] + np.log(scale).sum())
    np.testing.assert_allclose(differences, differences[0], atol=1e-8)


def test_what_has_no_symmetric_prior_is_refused() -> None:
    data = arms(SPREAD[1])
    priors = Priors(Prior("Flat", ()), Prior("HalfNormal", (0.5,)), baseline=Prior("Normal", (-1.0, 3.0)))
    with pytest.raises(SpecError, match="Normal with mean 0"):
        load_model("attachment_multinomial").build(data, priors)
