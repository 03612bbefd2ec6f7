"""Bayesian and frequentist meta-analysis: hierarchical models by exact quadrature and by NUTS, beside the frequentist methods.

A first analysis::

    import bayesmeta as bm

    studies = bm.read_studies("studies.csv")          # or a DataFrame
    post = bm.fit(studies, measure="RR")              # Bayesian random-effects model
    post                                              # one line: the pooled effect, its interval and tau
    post.summary(scale="natural")                     # one row per term
    bm.compare(studies, measure="RR", scale="natural")  # every method side by side

Data are read by ``read_studies``, or given as arrays (``yi=`` with ``sei=``); ``effect_sizes`` computes effects, ``random_effects``,
``mantel_haenszel`` and ``peto`` pool them, ``fit`` and ``fit_many`` fit the Bayesian model. ``leave_one_out``, ``influence``,
``predictive_checks``, ``prior_sensitivity`` and ``power_scaling`` check a fit, ``model_average`` and ``bayes_factors`` compare models, and
``run_review`` makes all tables and figures of a review. Whatever cannot be done is a ``BayesmetaError`` that says what to do.

Public names are listed in ``__init__.pyi`` and loaded when they are first used, so importing this package costs next to nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
