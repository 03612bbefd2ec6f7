"""What methods and measures are called in a paper."""

from __future__ import annotations

from collections.abc import Mapping

MEASURE_NAMES: Mapping[str, str] = {
    "RR": "risk ratio",
    "OR": "odds ratio",
    "PETO": "Peto odds ratio",
    "HR": "hazard ratio",
    "IRR": "incidence rate ratio",
    "RD": "risk difference",
    "SMD": "standardized mean difference",
    "MD": "mean difference",
    "ROM": "ratio of means",
    "GEN": "the estimate as given",
    "OE": "ratio from observed minus expected events",
}
RATIOS = {"RR", "OR", "PETO", "HR", "IRR", "ROM", "OE"}
