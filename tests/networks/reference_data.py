"""Reference numbers of netmeta and metafor (tests/reference/networks_extract.json), and how they are compared."""

import json
from typing import Any

import numpy as np
import pandas as pd
from paths import REFERENCE_FOLDER

REFERENCE: dict[str, Any] = json.loads((REFERENCE_FOLDER / "networks_extract.json").read_text(encoding="utf-8"))
DATASETS: dict[str, Any] = REFERENCE["datasets"]


def contrast_frame(columns: dict[str, list[Any]]) -> pd.DataFrame:
    """The contrasts of a data set as a frame; comparisons without an estimate (double zero) left out."""
    names = {"studlab": "study", "treat1": "treat1", "treat2": "treat2", "TE": "yi", "seTE": "sei"}
    return pd.DataFrame({new: columns[old] for old, new in names.items()}).dropna()


def arm_frame(name: str) -> pd.DataFrame:
    """The arms of a data set."""
    return pd.DataFrame(DATASETS[name]["raw"]).rename(columns={"id": "study", "death": "events", "randomized": "n"})


def numbers(values: Any) -> np.ndarray:
    """Numbers with NaN for null."""
    return np.array([[np.nan if v is None else v for v in row] for row in values] if isinstance(values[0], list) else
                    [np.nan if v is None else v for v in values], dtype=float)  # fmt: skip


def oriented(name: str, index: pd.Index) -> tuple[str, float]:
    """The row of a comparison "A:B" in a frame of rows "A vs B" or "B vs A", and the sign of its effect there."""
    one, two = name.split(":")
    key = f"{one} vs {two}"
    return (key, 1.0) if key in index else (f"{two} vs {one}", -1.0)
