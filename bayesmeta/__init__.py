"""Bayesian and frequentist random-effects meta-analysis.

Public names are listed in ``__init__.pyi`` and loaded when they are first used, so importing this package, or asking the command line
for help, costs next to nothing.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
