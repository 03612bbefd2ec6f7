"""Effect sizes: the registry of effect measures, their formulas, the zero-cell rules, and ``Effects``.

Imports ``studies`` and what comes before it.
"""
