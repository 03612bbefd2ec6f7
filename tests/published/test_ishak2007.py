"""Ishak et al. 2007, Clin Trials 4:525-539: deep-brain stimulation, 46 studies at up to four times; numbers as R metafor prints them."""

import numpy as np
import pandas as pd
import pytest
from paths import PUBLISHED_FOLDER

import bayesmeta as bm

WIDE = pd.read_csv(PUBLISHED_FOLDER / "ishak2007.csv")
TABLE = (
    pd.concat(
        WIDE[["study", f"y{t}i", f"v{t}i"]].set_axis(["study", "yi", "vi"], axis=1).assign(time=t) for t in (1, 2, 3, 4)
    )
    .dropna()
    .sort_values(["study", "time"], ignore_index=True)
)


def test_ishak2007_heteroscedastic_autoregressive_effects():
    """Sampling errors have the correlation 0.97 per step of time."""
    sd, time = np.sqrt(TABLE.vi.to_numpy()), TABLE.time.to_numpy()
    same = TABLE.study.to_numpy()[:, None] == TABLE.study.to_numpy()
    covariance = same * np.outer(sd, sd) * 0.97 ** np.abs(time[:, None] - time)
    fit = bm.multilevel(
        yi=TABLE.yi, vi=TABLE.vi, data=TABLE[["study", "time"]], nesting="study", within="time", structure="HAR",
        moderators="~ 0 + C(time)", covariance=covariance,
    )  # fmt: skip
    assert list(fit.coefficients.estimate) == pytest.approx([-25.9047, -27.4608, -28.6559, -26.4934], abs=6e-5)
    assert list(fit.tau2) == pytest.approx([22.7258, 33.7295, 26.1426, 31.1803], rel=1e-5)
    assert np.ravel(fit.correlation)[0] == pytest.approx(0.8832, abs=6e-5)
