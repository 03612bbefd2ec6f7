"""Numbers by which the compiled loops know the likelihoods and the families of a baseline's prior."""

from __future__ import annotations

#: densities of a study's data
RISK_RATIO, ODDS_RATIO, RATE_RATIO, T_STATISTIC = 0, 1, 2, 3
#: families of a baseline's prior (``NO_PRIOR``: the nuisance parameter has no prior of its own)
NO_PRIOR, NORMAL, STUDENT_T, LOGISTIC, BETA = 0, 1, 2, 3, 4
