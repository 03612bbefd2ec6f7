"""Within- and between-study parts of moderators: against means computed by hand, in predictions, and what is refused."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.effects.effects import effects_from_arrays
from bayesmeta.effects.model_matrix import effects_with_moderators
from bayesmeta.effects.study_parts import name_parts
from bayesmeta.errors import DataError, SpecError

DATA = pd.DataFrame({"study": ["A", "A", "A", "B", "B", "C"], "weeks": [4, 12, 26, 4, 12, 10], "n": [1, 2, 3, 4, 5, 6]})
Y, V = [-0.52, -0.31, -0.28, -0.81, -0.60, -0.15], [0.04, 0.05, 0.06, 0.03, 0.04, 0.05]
MEANS = np.array([14.0, 14.0, 14.0, 8.0, 8.0, 10.0])
WITHIN = np.array([-10.0, -2.0, 12.0, -4.0, 4.0, 0.0])
EFFECTS = effects_from_arrays(Y, vi=V)


def test_parts_are_study_means_and_differences_from_them() -> None:
    _, matrix = effects_with_moderators(EFFECTS, "~ within(weeks) + between(weeks)", DATA)
    assert matrix.design.names == ("Intercept", "within(weeks)", "between(weeks)")
    np.testing.assert_allclose(matrix.x, np.column_stack([np.ones(6), WITHIN, MEANS]), rtol=1e-14)
    assert [term.name for term in matrix.terms] == ["Intercept", "within(weeks)", "between(weeks)"]
    assert "'within(weeks)': differences within studies" in matrix.notes[0]
    # interactions, transformations and other columns go with them
    _, matrix = effects_with_moderators(EFFECTS, "~ 0 + within( weeks ):between(weeks) + n + I(within(weeks)^2)", DATA)
    np.testing.assert_allclose(matrix.x, np.column_stack([DATA["n"], WITHIN**2, WITHIN * MEANS]), rtol=1e-14)


def test_models_name_the_parts_and_say_which_is_which() -> None:
    options = {"yi": Y, "vi": V, "data": DATA, "nesting": "study/estimate"}
    fit = bm.multilevel(**options, moderators="~ within(weeks) + between(weeks)")
    by_hand = bm.multilevel(**options, moderators=np.column_stack([np.ones(6), WITHIN, MEANS]))
    np.testing.assert_allclose(fit.estimates, by_hand.estimates, rtol=1e-12)
    assert fit.coefficients.index.tolist() == ["Intercept", "within(weeks)", "between(weeks)"]
    found = fit.predict({"within(weeks)": [0, 5], "between(weeks)": [10, 10]})
    assert found["estimate"].diff().iloc[1] == pytest.approx(5 * fit.estimates[1])
    with pytest.raises(SpecError, match=r"predict needs the column 'within\(weeks\)'"):
        fit.predict({"weeks": [4]})
    mixed = bm.multilevel(**options, moderators="~ weeks")
    assert mixed.notes == (
        "'weeks' varies within studies: its coefficient mixes differences within and between studies; within(weeks) and between(weeks) "
        "separate them",
    )


def test_moderators_of_studies_are_not_noted() -> None:
    per_study = DATA.assign(weeks=MEANS)
    assert bm.multilevel(yi=Y, vi=V, data=per_study, nesting="study/estimate", moderators="~ weeks").notes == ()
    assert bm.regression(yi=Y, vi=V, data={"weeks": DATA["weeks"]}, moderators="~ weeks").notes == ()


def test_the_study_is_the_outermost_group_or_the_column_named() -> None:
    renamed = DATA.rename(columns={"study": "trial"})
    moderators = "~ within(weeks) + between(weeks)"
    nested = bm.multilevel(yi=Y, vi=V, data=renamed, nesting="trial/estimate", moderators=moderators)
    named = bm.regression(
        yi=Y, vi=V, data=renamed, moderators="~ within(weeks, trial) + between(weeks, trial)", method="CE"
    )
    np.testing.assert_allclose(nested.matrix.x, named.matrix.x, rtol=1e-14)
    assert named.names[1] == "within(weeks, trial)"


def test_means_are_those_of_the_estimates_in_the_model() -> None:
    data = DATA.assign(n=[1, 2, np.nan, 4, 5, 6])
    _, matrix = effects_with_moderators(EFFECTS, "~ within(weeks) + between(weeks) + n", data, drop_missing=True)
    assert matrix.used.tolist() == [True, True, False, True, True, True]
    np.testing.assert_allclose(matrix.x[:2, matrix.design.names.index("within(weeks)")], [-4.0, 4.0])
    with pytest.raises(DataError, match="the moderator is missing for '2'"):
        effects_with_moderators(EFFECTS, "~ within(weeks)", DATA.assign(weeks=[4, np.nan, 26, 4, 12, 10]))


@pytest.mark.parametrize(
    ("moderators", "data", "error", "message"),
    [
        ("~ within(weeks)", {"weeks": DATA["weeks"]}, DataError, "'weeks' does not vary within studies: each has one estimate"),
        ("~ between(weeks)", DATA.assign(weeks=MEANS), DataError, "does not vary within studies: each has one value"),
        ("~ within(week)", DATA, SpecError, "did you mean 'weeks'"),
        ("~ within(weeks, trail)", DATA, SpecError, "unknown column 'trail' for within"),
        ("~ within(kind)", DATA.assign(kind=list("abcabc")), SpecError, "needs numbers, but 'kind' has categories"),
        ("~ whithin(weeks)", DATA, SpecError, "did you mean 'within'"),
    ],
)  # fmt: skip
def test_parts_that_there_are_not_are_refused(moderators: str, data: object, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        effects_with_moderators(EFFECTS, moderators, data)


def test_quoted_names_are_left_alone() -> None:
    assert name_parts("~ `within(a)` + C(x, levels=['between(b)'])") == (
        "~ `within(a)` + C(x, levels=['between(b)'])",
        (),
    )
    assert name_parts("~ within(`number of weeks`)")[0] == "~ `within(number of weeks)`"
