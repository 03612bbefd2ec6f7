"""What the columns of a table mean."""

from bayesmeta.studies.columns import assign_columns


def test_yi_is_the_estimate_beside_a_column_that_numbers_estimates():
    found = assign_columns(["study", "estimate", "yi", "vi"])
    assert {name: found.at[name] for name in ("study", "yi", "vi")} == {"study": 0, "yi": 2, "vi": 3}
    assert 1 in found.extra
    assert assign_columns(["study", "estimate", "se"]).at["yi"] == 1
