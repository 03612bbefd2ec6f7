"""What a review writes for readers: its tables, figures, the report page and the reproduction report."""
