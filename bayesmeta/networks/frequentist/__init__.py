"""Frequentist network meta-analysis: weighted least squares, inconsistency, contributions, ranking, rare events, components."""
