"""Models of an analysis beyond one pooled effect: moderators, subgroups, dependent estimates."""
