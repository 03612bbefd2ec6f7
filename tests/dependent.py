"""Small data of several estimates per study, and fits of them."""

import numpy as np
import pandas as pd

import bayesmeta as bm

TABLE = pd.DataFrame(
    {
        "study": list("aabbccdde"), "outcome": ["x", "y"] * 4 + ["x"], "yi": [-0.5, -0.1, 0.3, 0.2, 0.6, 0.1, -0.2, 0.4, 0.7],
        "vi": [0.04, 0.06, 0.03, 0.05, 0.08, 0.04, 0.05, 0.03, 0.06], "dose": [1.0, 2, 1, 3, 2, 2, 4, 1, 3],
    }
)  # fmt: skip
PRIORS = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}
MODELS = {
    "three levels": {"nesting": "study/estimate"},
    "three levels, moderator": {"nesting": "study/estimate", "moderators": "~ dose"},
    "three levels, sampling correlation": {"nesting": "study/estimate", "sampling_correlation": 0.5},
    "one effect per study": {"nesting": "study"},
    "outcomes, CS": {"nesting": "study", "within": "outcome"},
    "outcomes, UN": {"nesting": "study", "within": "outcome", "structure": "UN"},
    "outcomes, UN, means": {"nesting": "study", "within": "outcome", "structure": "UN", "moderators": "~ 0 + outcome"},
}


def fitted(name: str, rows: pd.Series | None = None, **more: object) -> bm.Posterior:
    """Fit a model by its name to the table, or to some of its rows."""
    data = TABLE if rows is None else TABLE[rows].reset_index(drop=True)
    given = {"priors": PRIORS, **MODELS[name], **more}
    return bm.fit(yi=data.yi, vi=data.vi, data=data, measure="SMD", **given)


def covariance(name: str, draws: dict[str, np.ndarray], i: int) -> np.ndarray:
    """Return S + Sigma of all estimates at draw i, from the definition of the model."""
    same = TABLE.study.to_numpy()[:, None] == TABLE.study.to_numpy()
    if name.startswith("three levels"):
        sigma = draws["tau_between"][i] ** 2 * same + draws["tau_within"][i] ** 2 * np.eye(len(TABLE))
    elif name == "one effect per study":
        sigma = draws["tau"][i] ** 2 * same
    else:
        code = (TABLE.outcome == "y").to_numpy().astype(int)
        taus = [draws["tau"][i]] * 2 if "CS" in name else [draws["tau[x]"][i], draws["tau[y]"][i]]
        rho = np.array([[1.0, draws["rho"][i]], [draws["rho"][i], 1.0]])
        sigma = (np.outer(taus, taus) * rho)[np.ix_(code, code)] * same
    correlation = 0.5 if "correlation" in name else 0.0
    root = np.sqrt(TABLE.vi.to_numpy())
    return sigma + np.outer(root, root) * (same * correlation + np.eye(len(TABLE)) * (1 - correlation))
