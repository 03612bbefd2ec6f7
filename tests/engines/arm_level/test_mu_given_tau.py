import numpy as np
import pytest
from scipy.special import logsumexp

from bayesmeta.engines.arm_level.mu_given_tau import DROP, Conditional, NormalStudy, Slices, join, local_log_density
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.engines.numerics.panels import Map, integrate
from bayesmeta.errors import ConvergenceError, DataError
from bayesmeta.model.priors.distribution import Prior

EFFECT, VARIANCE = np.array([0.2, -0.5, 1.1]), np.array([0.04, 0.3, 0.1])
STUDIES = [NormalStudy(float(y), float(v)) for y, v in zip(EFFECT, VARIANCE, strict=True)]
PRIOR = Prior("Normal", (0.1, 2.0))
TAU = np.array([1e-6, 0.05, 0.3, 1.0, 20.0])


def conditional(prior: Prior = PRIOR, corner: bool = False, studies=STUDIES) -> Conditional:
    return Conditional(studies, prior, EFFECT, VARIANCE, 0.3, corner)


def closed(tau: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean and sd of mu given tau, and log p(data | tau), with the normal prior."""
    total = VARIANCE + tau[:, None] ** 2
    w = np.concatenate([1 / total, np.full((len(tau), 1), 0.25)], axis=1)
    y = np.append(EFFECT, 0.1)
    mean = (w * y).sum(axis=1) / w.sum(axis=1)
    log_total = 0.5 * (
        np.log(w / (2 * np.pi)).sum(axis=1)
        - np.log(w.sum(axis=1) / (2 * np.pi))
        - (w * (y - mean[:, None]) ** 2).sum(axis=1)
    )
    return mean, 1 / np.sqrt(w.sum(axis=1)), log_total


def test_normal_studies_have_the_closed_form() -> None:
    slices = conditional().slices(TAU, 40)
    mean, sd, log_total = closed(TAU)
    np.testing.assert_allclose(slices.log_total, log_total, atol=1e-9)
    mass = np.exp(slices.log_joint - slices.log_total[:, None, None]) * legendre_rule(40)[1] * slices.half[:, :, None]
    np.testing.assert_allclose((mass * slices.mu).sum(axis=(1, 2)), mean, atol=1e-9)
    np.testing.assert_allclose((mass * (slices.mu - mean[:, None, None]) ** 2).sum(axis=(1, 2)), sd**2, rtol=1e-8)


@pytest.mark.parametrize(
    "prior", [PRIOR, Prior("Cauchy", (0.0, 1.0)), Prior("StudentT", (4.0, 3.0, 0.2)), Prior("Flat", ())]
)
@pytest.mark.parametrize("corner", [False, True])
def test_the_ranges_contain_all_mass(prior: Prior, corner: bool) -> None:
    tau = np.concatenate([np.geomspace(1e-5, 3.0, 40), [0.0]])
    one = conditional(prior, corner)
    edges = one.edges(tau)
    assert (np.diff(edges, axis=1) > 0).all()
    assert (edges[:, 1] == 0).all() == one.cut_at_zero
    reach = np.abs(edges - edges[:, 1:2]).max(axis=1)
    mu = edges[:, 1:2] + reach[:, None] * np.linspace(-3.0, 3.0, 4001)
    joint, _ = one.log_joint(mu, tau)
    outside = np.where((mu < edges[:, :1]) | (mu > edges[:, 2:]), joint, -np.inf)
    # under a prior with heavy tails the ends change too fast with tau to be approximated as closely
    light = prior.family in ("Normal", "Flat")
    assert (logsumexp(outside, axis=1) - logsumexp(joint, axis=1) < (-22 if light else -10)).all()
    # and not much more than that: the ends are where the density has fallen by DROP
    ends, _ = one.log_joint(edges[:, [0, 2]], tau)
    fallen = joint.max(axis=1)[:, None] - ends
    if light:
        assert (fallen > 0.9 * DROP).all()
        assert (fallen < 2.5 * DROP).all()


def test_a_bulk_far_from_the_guess_is_found() -> None:
    # studies whose guides are far from their likelihoods
    studies = [NormalStudy(40.0, 1e-4), NormalStudy(40.2, 1e-4)]
    one = Conditional(studies, Prior("Normal", (0.0, 30.0)), np.zeros(2), np.full(2, 0.5), 0.3, False)
    tau = np.array([1e-4, 0.1, 1.0])
    slices = one.slices(tau, 60)
    y = np.array([40.0, 40.2])
    v = 1e-4 + tau**2
    known = (
        -0.5 * np.log(2 * np.pi * v) - 0.5 * np.log(2) - 0.25 * 0.2**2 / v
        - 0.5 * np.log(2 * np.pi * (v / 2 + 900.0)) - 0.5 * y.mean() ** 2 / (v / 2 + 900.0)
    )  # fmt: skip
    np.testing.assert_allclose(slices.log_total, known, atol=1e-7)


def test_likelihoods_that_do_not_bound_mu() -> None:
    class Constant:
        def log_smooth(self, mu: np.ndarray, tau: np.ndarray) -> np.ndarray:
            return np.zeros(mu.shape) - 0 * tau[:, None]

    with pytest.raises(DataError, match="improper"):
        Conditional([Constant()], Prior("Flat", ()), np.zeros(1), np.ones(1), 0.3, False)
    # a proper prior makes a proper posterior, but its tails are too heavy for quadrature
    with pytest.raises(ConvergenceError, match=r"tails of its prior Cauchy\(0, 0.1\) are too heavy"):
        Conditional([Constant()], Prior("Cauchy", (0.0, 0.1)), np.zeros(1), np.ones(1), 0.3, False)


def test_log_joint_is_the_sum() -> None:
    mu = np.linspace(-1.0, 1.0, 7)[None]
    joint, log_g = conditional().log_joint(mu, np.array([0.4]))
    assert log_g.shape == (1, 7, 3)
    np.testing.assert_allclose(joint, PRIOR.logpdf(mu) + log_g.sum(axis=-1), rtol=1e-14)
    total = VARIANCE[1] + 0.16
    np.testing.assert_allclose(
        log_g[0, :, 1], -0.5 * np.log(2 * np.pi * total) - 0.5 * (mu[0] - EFFECT[1]) ** 2 / total, rtol=1e-13
    )


@pytest.mark.parametrize("size", [8, 12, 16, 20, 24, 28])
def test_the_estimated_error_is_an_upper_bound(size: int) -> None:
    # the distribution function at the edge between the panels is off by no more than this
    one = conditional()
    few, many = one.slices(TAU, size), one.slices(TAU, 80)

    def below(slices: Slices) -> np.ndarray:
        value = np.exp(slices.log_joint - slices.log_total[:, None, None])
        return (value[:, 0] @ legendre_rule(slices.size)[1]) * slices.half[:, 0]

    gap = np.maximum(np.abs(below(few) - below(many)), np.abs(few.log_total - many.log_total))
    assert (gap <= few.unresolved() + 1e-10).all()
    assert (many.unresolved() < 1e-10).all()


def test_more_nodes_leave_less_unresolved() -> None:
    errors = [conditional().slices(TAU, size).unresolved().max() for size in (8, 14, 20, 28, 40)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 1e-3
    assert errors[-1] < 1e-8


def test_slices_are_joined_in_order_of_tau() -> None:
    one = conditional()
    parts = [one.slices(np.array([0.5, 2.0]), 16), one.slices(np.array([0.1, 1.0]), 16)]
    whole = join(parts)
    np.testing.assert_array_equal(whole.tau, [0.1, 0.5, 1.0, 2.0])
    straight = one.slices(whole.tau, 16)
    np.testing.assert_allclose(whole.log_joint, straight.log_joint, rtol=1e-14)
    np.testing.assert_allclose(whole.log_g, straight.log_g, rtol=1e-14)
    taken = whole.take(np.array([1, 3]))
    np.testing.assert_array_equal(taken.tau, [0.5, 2.0])
    np.testing.assert_array_equal(taken.edges, whole.edges[[1, 3]])
    assert taken.size == 16


def test_interpolation_between_the_nodes_of_tau() -> None:
    one, prior = conditional(), Prior("HalfNormal", (0.5,))
    parts: list[Slices] = []

    def log_density(tau: np.ndarray) -> np.ndarray:
        parts.append(one.slices(tau, 28))
        return prior.logpdf(tau) + parts[-1].log_total

    density = integrate(log_density, Map("half_line", 0.0, 0.3), nodes_per_panel=24, tolerance=1e-7)
    tau = np.random.default_rng(6).uniform(0.0, 2.0, 200)
    got = local_log_density(join(parts), density, tau)
    known = one.slices(tau, 28)
    local = known.log_joint - known.log_total[:, None, None] + np.log(known.half)[:, :, None]
    matters = local > -20
    np.testing.assert_allclose(got[matters], local[matters], atol=1e-5)
