"""Result rows: every method of a meta-analysis in one tidy schema.

Imports ``posterior`` and ``frequentist`` and what comes before them.
"""
