"""The linear model with normal likelihood and two variance components, in coordinates in which it has a closed form.

    y = X b + u + e,  u ~ Normal(0, tau_within^2 M M' + tau_between^2 Z Z'),  e ~ Normal(0, S),  b ~ Normal(m, P^-1)

Z has a column per study, M one per group within the studies (the identity where each estimate is its own group), and S is known and has a
block per study. In each study a matrix B diagonalizes S = B diag(s) B' and M M' = B diag(r) B', so that the covariance of the rotated
estimates B^-1 y is diag(s + tau_within^2 r) + tau_between^2 z z' with z = B^-1 1: a diagonal matrix and a product of one vector with
itself, whose inverse and determinant are those of Sherman and Morrison (1950, Ann Math Stat 21:124-127).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.effects.extremes import refuse_extreme
from bayesmeta.engines.normal.model import LOG_2PI, CoefficientPrior, diagonalized
from bayesmeta.errors import DataError, SpecError
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class NestedModel:
    """The model of n estimates in m studies with p coefficients; rotated values are in the order of the studies.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Rotated residuals of the estimates about X b0.
    x : numpy.ndarray, shape (n, p)
        Rotated design matrix.
    s, r, z : numpy.ndarray, shape (n,)
        Parts of the covariance of the rotated estimates, diag(s + tau_within^2 r) + tau_between^2 z z' per study.
    starts : numpy.ndarray of int, shape (m,)
        Place of the first estimate of each study.
    order : numpy.ndarray of int, shape (n,)
        Row of each place in the data as given.
    back : numpy.ndarray or None, shape (n, n)
        B, from rotated values to those of the estimates in the order of the studies; None for the identity.
    log_jacobian : float
        -log |B|.
    centre : numpy.ndarray, shape (p,)
        b0, about which the coefficients are computed so that no digits are lost where effects are large beside their spread.
    design : Design
        X with the names of the coefficients, as given.
    prior : CoefficientPrior
        Prior for the coefficients.
    """

    y: Array
    x: Array
    s: Array
    r: Array
    z: Array
    starts: Array
    order: Array
    back: Array | None
    log_jacobian: float
    centre: Array
    design: Design
    prior: CoefficientPrior

    @property
    def n(self) -> int:
        """Number of estimates."""
        return len(self.y)

    @property
    def studies(self) -> int:
        """Number of studies."""
        return len(self.starts)

    @cached_property
    def study_of(self) -> Array:
        """Number of the study of each place, shape (n,)."""
        return np.repeat(np.arange(self.studies), self.ends - self.starts)

    @cached_property
    def indefinite(self) -> bool:
        """Whether the sampling covariance S alone is not positive definite."""
        return bool((self.s <= 0).any())

    @cached_property
    def columns(self) -> Array:
        """Columns [y, X], shape (n, 1 + p)."""
        return np.column_stack([self.y, self.x])

    @cached_property
    def ends(self) -> Array:
        """Place after the last estimate of each study, shape (m,)."""
        return np.append(self.starts[1:], self.n)

    @cached_property
    def run(self) -> int:
        """Number of variances whose product is a floating-point number, also with 1e20 times the greatest s added to each."""
        sizes = np.abs(np.log10(np.abs(self.s[self.s != 0.0])))
        return int(np.clip(280 // (sizes.max(initial=0.0) + 20), 1, 8))

    def to_rows(self, rotated: Array) -> Array:
        """Transform values of the rotated estimates, shape (n, ...), to those of the estimates in the order of the data."""
        out = np.empty_like(rotated)
        out[self.order] = rotated if self.back is None else np.tensordot(self.back, rotated, 1)
        return out


@dataclass(frozen=True, eq=False)
class Conditional:
    """The model given the variance components at T nodes.

    Parameters
    ----------
    log_likelihood : numpy.ndarray, shape (T,)
        Natural log of the likelihood with the coefficients integrated out; -inf where S + Sigma is not positive definite.
    mean : numpy.ndarray, shape (p, T)
        Means of the coefficients.
    covariance : numpy.ndarray, shape (p, p, T)
        Covariances of the coefficients.
    """

    log_likelihood: Array
    mean: Array
    covariance: Array


def nested_model(
    y: Array, design: Design, covariance: Covariance, prior: CoefficientPrior, study: Array, group: Array | None = None
) -> NestedModel:
    """Rotate a model with estimates in studies.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Estimates on the model scale.
    design : Design
        Design matrix X, shape (n, p).
    covariance : Covariance
        Sampling covariance S, which need not be positive definite if S + Sigma is.
    prior : CoefficientPrior
        Prior for the p coefficients.
    study : numpy.ndarray of int, shape (n,)
        Study of each estimate.
    group : numpy.ndarray of int, shape (n,), optional
        Group within the study of each estimate; default: each estimate is its own.

    Raises
    ------
    DataError
        If a variance is not positive, or estimates of different studies have correlated sampling errors.
    """
    n = len(y)
    if n == 0:
        raise DataError("no study can be pooled", fix="check the exclusions and the measure")
    _check_variances(covariance, study)
    order = np.argsort(study, kind="stable")
    sorted_study = study[order]
    starts = np.flatnonzero(np.append(True, sorted_study[1:] != sorted_study[:-1]))
    centre = np.linalg.lstsq(design.matrix, y)[0]
    values = np.column_stack([y - design.matrix @ centre, design.matrix, np.ones(n)])[order]
    s, r = covariance.variances[order].astype(float), np.ones(n)
    repeated = group is not None and len(np.unique(np.stack([study, group]), axis=1).T) < n
    back: Array | None = None
    log_determinant = 0.0
    if covariance.blocks or repeated:
        whole, back = covariance.matrix[np.ix_(order, order)], np.eye(n)
        for start, end in zip(starts, np.append(starts[1:], n), strict=True):
            rows = slice(int(start), int(end))
            if end - start == 1:
                continue
            if repeated:
                assert group is not None
                own = group[order][rows]
                same = (own[:, None] == own).astype(float)
                back[rows, rows], s[rows], r[rows], part = diagonalized(
                    whole[rows, rows],
                    same,
                    "a study with several estimates per group",
                    "Check its correlations, or name the estimates as the innermost level: nesting='study/estimate'.",
                )
                log_determinant += part
            else:
                # the rotation of S alone, which exists also where S is not positive definite
                s[rows], back[rows, rows] = np.linalg.eigh(whole[rows, rows])
            values[rows] = np.linalg.solve(back[rows, rows], values[rows])
    p = design.matrix.shape[1]
    return NestedModel(
        y=values[:, 0].copy(),
        x=values[:, 1 : 1 + p].copy(),
        s=s,
        r=r,
        z=values[:, -1].copy(),
        starts=starts,
        order=order,
        back=back,
        log_jacobian=-log_determinant,
        centre=centre,
        design=design,
        prior=prior,
    )


def conditional(model: NestedModel, between: Array, within: Array) -> Conditional:
    """Return the model given its variance components.

    Parameters
    ----------
    model : NestedModel
        Model with n estimates and p coefficients.
    between, within : numpy.ndarray, shape (T,)
        Variances tau_between^2 and tau_within^2. A negative tau_between^2 is a negative correlation within studies.
    """
    from bayesmeta.engines.normal.nested_kernels import condition

    prior = model.prior
    offset = prior.mean - model.centre
    pull = prior.precision @ offset
    value, mean, covariance = condition(
        model.columns, model.s, model.r, model.z, model.ends, prior.precision, pull, between, within, model.run
    )
    constant = prior.log_normalization + model.log_jacobian - 0.5 * (model.n * LOG_2PI + offset @ pull)
    return Conditional(value + constant, mean + model.centre[:, None], covariance)


def _check_variances(covariance: Covariance, study: Array) -> None:
    bad = np.flatnonzero(~(covariance.variances > 0))
    if len(bad):
        raise DataError(
            f"the sampling variance of estimate {int(bad[0]) + 1} is {covariance.variances[bad[0]]:g}, but should be above 0",
            fix="Leave that estimate out, or give its variance.",
        )
    refuse_extreme(covariance.variances)
    for indices, matrix in covariance.blocks:
        apart = study[indices][:, None] != study[indices]
        if (matrix[apart] != 0).any():
            i, j = indices[np.argwhere(apart & (matrix != 0))[0]]
            raise SpecError(
                f"estimates {int(i) + 1} and {int(j) + 1} are of different studies of the nesting but their sampling errors are "
                "correlated; name their common group as the outermost level of nesting=, or use bm.multilevel"
            )
