"""Reporting: numbers, tables and figures made from result rows. Knows neither engines nor reviews."""
