"""Word documents: text, tables and pictures, made with python-docx."""
