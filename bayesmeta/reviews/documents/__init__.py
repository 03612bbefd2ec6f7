"""Documents of a run for a paper: methods text, references, manuscript, checklists, workbook."""
