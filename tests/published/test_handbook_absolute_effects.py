"""Worked examples of absolute effects in the Cochrane Handbook, to the printed digit.

Higgins JPT, Green S (editors). Cochrane Handbook for Systematic Reviews of Interventions 5.1 (2011), sections 12.5.1 and 12.5.4 (15.4.1 and
15.4.4 of version 6).
"""

from __future__ import annotations

import numpy as np
import pytest

from bayesmeta.certainty.corresponding_risk import number_needed_to_treat, risk_with_treatment


@pytest.mark.parametrize(
    ("measure", "ratio", "fewer", "needed"),
    [
        # 12.5.4.2: RR = 0.92 at an assumed control risk of 0.3: 24 fewer per 1,000, NNT 42
        ("RR", 0.92, 24, 42),
        # 12.5.4.3: OR = 0.73 at an assumed control risk of 0.3: 62 fewer per 1,000, NNT 17
        ("OR", 0.73, 62, 17),
    ],
)
def test_difference_and_number_needed_to_treat_at_an_assumed_risk(
    measure: str, ratio: float, fewer: int, needed: int
) -> None:
    difference = float(risk_with_treatment(measure, np.log(ratio), 0.3)) - 0.3
    assert round(-1000 * difference) == fewer
    text = number_needed_to_treat(difference, 1.2 * difference, 0.8 * difference, better="lower")
    assert text.startswith(f"NNTB {needed} ")


def test_a_risk_ratio_of_three_quarters_reduces_a_risk_of_4_percent_to_3() -> None:
    # 12.5.1: a relative risk reduction of 25% is a reduction in risk from 4% to 3%
    assert float(risk_with_treatment("RR", np.log(0.75), 0.04)) == pytest.approx(0.03)


def test_a_risk_difference_is_counted_per_1000() -> None:
    # 12.5.4.0: a risk difference of -0.133 is 133 fewer per 1,000
    assert round(1000 * (float(risk_with_treatment("RD", -0.133, 0.4)) - 0.4)) == -133
