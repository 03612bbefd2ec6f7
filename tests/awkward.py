"""Small meta-analyses that are hard on an engine, by measure and name, as frames for ``read_studies``."""

from __future__ import annotations

import pandas as pd

#: events and totals (for IRR: and person-time, ten times the totals), experimental arm then control arm, one tuple per study
COUNTS = {
    "single_zero": [(0, 59, 4, 31), (3, 48, 6, 49), (5, 80, 9, 78)],
    "double_zero": [(3, 40, 7, 41), (0, 60, 0, 30), (6, 55, 9, 52)],
    "only_double_zeros": [(0, 25, 0, 25), (0, 60, 0, 30)],
    "all_events": [(20, 20, 14, 20), (31, 33, 25, 32), (12, 12, 10, 10)],
    "two_studies": [(8, 48, 16, 49), (4, 21, 5, 20)],
    "one_study": [(8, 48, 16, 49)],
    "huge_and_tiny": [(505, 88391, 499, 88391), (1, 4, 0, 5)],
    "huge_and_rare": [(12, 200000, 5, 190000), (0, 150, 1, 75), (400, 20000, 520, 20000)],
    "five_an_arm": [(1, 5, 2, 5), (0, 5, 3, 5), (4, 5, 5, 5), (2, 5, 2, 5)],
    "opposite_zeros": [(0, 30, 6, 30), (6, 30, 0, 30)],
    "unequal_arms": [(2, 20, 40, 400), (1, 12, 30, 300), (3, 30, 15, 260)],
}
#: mean, SD and total of the experimental arm, then of the control arm
MEANS = {
    "two_studies": [(8.0, 4.2, 34, 9.7, 4.4, 46), (11.2, 5.0, 54, 10.7, 5.0, 56)],
    "one_study": [(8.0, 4.2, 34, 9.7, 4.4, 46)],
    "huge_and_tiny": [(10.1, 5.0, 20000, 10.3, 5.0, 21000), (3.0, 1.5, 3, 2.0, 1.0, 2)],
    "five_an_arm": [(8.0, 4.2, 5, 9.7, 4.4, 5), (11.2, 5.0, 5, 7.7, 5.0, 5), (3.0, 1.5, 5, 4.1, 1.0, 5), (2.0, 1.0, 5, 2.2, 1.4, 5)],
    "large_effect": [(20.0, 2.0, 5, 10.0, 2.0, 5), (15.0, 3.0, 12, 10.0, 2.5, 11), (31.0, 4.0, 40, 24.0, 4.0, 38)],
    "two_an_arm": [(8.0, 4.2, 2, 9.7, 4.4, 2), (11.2, 5.0, 2, 10.7, 5.0, 2), (3.0, 1.5, 2, 2.0, 1.0, 2)],
}  # fmt: skip
PERSON_TIME = 10.0


def awkward_frame(measure: str, name: str) -> pd.DataFrame:
    """One analysis as a frame.

    Parameters
    ----------
    measure : {"RR", "OR", "IRR", "SMD"}
    name : str
        A key of ``MEANS`` for SMD, else of ``COUNTS``.
    """
    if measure == "SMD":
        rows, columns = MEANS[name], ["mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c"]
    else:
        rows, columns = COUNTS[name], ["events_e", "n_e", "events_c", "n_c"]
    frame = pd.DataFrame(rows, columns=columns)
    if measure == "IRR":
        frame = frame.rename(columns={"n_e": "time_e", "n_c": "time_c"})
        frame[["time_e", "time_c"]] *= PERSON_TIME
    frame.insert(0, "study", [f"Study {i + 1}" for i in range(len(frame))])
    return frame


CASES = [
    *((measure, name) for measure in ("RR", "OR", "IRR") for name in COUNTS),
    *(("SMD", name) for name in MEANS),
]
