"""Study tables: ``StudyTable`` read from CSV files and DataFrames, with checks and exclusions.

Imports ``support`` only.
"""
