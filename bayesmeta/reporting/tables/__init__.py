"""Tables for publication, as CSV, Markdown, HTML, LaTeX, Excel and Word."""
