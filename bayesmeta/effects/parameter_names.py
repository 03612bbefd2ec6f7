"""Names of the parameters of models and of what is computed from them: terms of posteriors, which no moderator may be named after."""

from __future__ import annotations

from bayesmeta.effects.design import MEAN

#: the coefficient that a formula adds unless it says ``0 +``, and the effect at the means of the moderators
INTERCEPT, AT_MEANS = "Intercept", "effect_at_means"
#: measures of heterogeneity: the between-study standard deviation, its square, and I2 in percent
TAU, TAU2, I2 = "tau", "tau2", "i2"
#: of a three-level model: the share of the heterogeneity that is between studies, the standard deviations of both levels, I2 by level
RHO, TAU_BETWEEN, TAU_WITHIN = "rho", "tau_between", "tau_within"
I2_BETWEEN, I2_WITHIN = "i2_between", "i2_within"
#: the effects in studies; that in a new study (its mean effect, where studies have several), and of a new estimate in a new study
STUDY_EFFECT, NEW_STUDY, NEW_ESTIMATE = "theta", "theta_new", "theta_new_estimate"
PARAMETERS = (
    MEAN, INTERCEPT, AT_MEANS, TAU, TAU2, I2, RHO, TAU_BETWEEN, TAU_WITHIN, I2_BETWEEN, I2_WITHIN, STUDY_EFFECT, NEW_STUDY, NEW_ESTIMATE,
)  # fmt: skip
#: of a network: any contrast of treatments, the difference of direct and indirect evidence, the baseline of arm-level likelihoods
CONTRASTS, INCONSISTENCY, BASELINE = "d", "inconsistency", "baseline"
#: terms of one study or one outcome begin with these
_OF_ONE = (f"{STUDY_EFFECT}[", f"{NEW_STUDY}[", f"{TAU}[")


def is_parameter(name: str) -> bool:
    """Whether a name is that of a parameter, or looks like a parameter of one study or outcome, such as "tau[pain]"."""
    return name in PARAMETERS or name.startswith(_OF_ONE)


def is_network_parameter(name: str) -> bool:
    """Whether a name is that of a parameter of a network, or of any other model."""
    return is_parameter(name) or name in (CONTRASTS, INCONSISTENCY, BASELINE)
