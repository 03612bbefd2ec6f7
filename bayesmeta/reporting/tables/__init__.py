"""Tables for publication, as CSV, Markdown, HTML and LaTeX."""
