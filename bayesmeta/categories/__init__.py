"""Outcomes with several categories: the multinomial, change between categories, and ordered categories."""
