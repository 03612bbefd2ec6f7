"""Certainty of evidence: absolute risks at a stated baseline risk.

Imports ``posterior`` and what comes before it.
"""
