"""NUTS against quadrature for arm-level likelihoods whose studies are hard on an engine."""

import pytest
from awkward import awkward_frame

import bayesmeta as bm
from bayesmeta.checks.engine_agreement import engine_agreement, largest_by_chance, worst_disagreement
from bayesmeta.posterior.summary import summarize

LIKELIHOODS = {"RR": "binomial", "OR": "binomial", "IRR": "poisson", "SMD": "nct"}


@pytest.mark.sampling
@pytest.mark.parametrize(
    ("measure", "case"),
    [
        *(
            ("RR", case)
            for case in ("single_zero", "double_zero", "all_events", "two_studies", "huge_and_tiny", "five_an_arm")
        ),
        ("OR", "double_zero"),
        ("IRR", "opposite_zeros"),
        ("SMD", "five_an_arm"),
    ],
)
def test_the_two_engines_agree(measure: str, case: str) -> None:
    frame = awkward_frame(measure, case)
    exact = bm.fit(frame, measure=measure, likelihood=LIKELIHOODS[measure], engine="quadrature")
    nuts = bm.fit(frame, measure=measure, likelihood=LIKELIHOODS[measure], engine="nuts", seed=21)
    assert exact.engine == "quadrature"
    agreement = engine_agreement(nuts, exact, (summarize(nuts), summarize(exact)))
    assert worst_disagreement(agreement) < largest_by_chance(9 * len(agreement))


@pytest.mark.parametrize("measure", ["RR", "OR", "IRR", "SMD"])
def test_quadrature_is_the_default_engine(measure: str) -> None:
    frame = awkward_frame(measure, "two_studies")
    chosen = bm.fit(frame, measure=measure, likelihood=LIKELIHOODS[measure], engine="quadrature")
    left = bm.fit(frame, measure=measure, likelihood=LIKELIHOODS[measure])
    assert left.engine == "quadrature"
    assert left.log_marginal_likelihood == chosen.log_marginal_likelihood
