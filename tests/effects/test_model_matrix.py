"""Model matrices: what formulas mean, what is refused, and X for new values."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from bayesmeta.effects.design import Design
from bayesmeta.effects.effects import effects_from_arrays
from bayesmeta.effects.model_matrix import effects_with_moderators
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.read import read_studies

K = 13
LATITUDE = np.array([44, 55, 42, 52, 13, 44, 19, 13, 27, 42, 18, 33, 33], dtype=float)
FRAME = pd.DataFrame(
    {
        "ablat": LATITUDE,
        "year": 1950 + np.arange(K) ** 1.5,
        "alloc": list("abcabcabcabca"),
        "grade": [1, 2, 3, 4] * 3 + [1],
        "weeks of": np.arange(K) % 4,
        "center": np.arange(K) % 5,
        "constant": [3.0] * K,
        "nearly": 1e6 + np.arange(K) * 1e-9,
        "gaps": [1.0, None, 3.0, np.nan, *range(9)],
        "ordered": pd.Categorical(list("zy") * 6 + ["z"], categories=["unused", "z", "y"]),
    }
)
EFFECTS = effects_from_arrays(np.linspace(-1, 1, K), np.full(K, 0.1), labels=[f"S{i}" for i in range(K)])


def matrix(formula, data=FRAME, **options):
    return effects_with_moderators(EFFECTS, formula, data, **options)[1]


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("~ ablat + year", ["Intercept", "ablat", "year"]),
        ("ablat", ["Intercept", "ablat"]),
        ("~ 0 + ablat", ["ablat"]),
        ("~ ablat - 1", ["ablat"]),
        ("~ 0 + alloc", ["alloc[a]", "alloc[b]", "alloc[c]"]),
        ("~ ablat * alloc", ["Intercept", "ablat", "alloc[T.b]", "alloc[T.c]", "ablat:alloc[T.b]", "ablat:alloc[T.c]"]),
        ("~ C(grade)", ["Intercept", "C(grade)[T.2]", "C(grade)[T.3]", "C(grade)[T.4]"]),
        ("~ factor(grade)", ["Intercept", "factor(grade)[T.2]", "factor(grade)[T.3]", "factor(grade)[T.4]"]),
        ("~ ablat + I(ablat^2)", ["Intercept", "ablat", "I(ablat ** 2)"]),
        ("~ `weeks of`", ["Intercept", "weeks of"]),
        ("~ ordered", ["Intercept", "ordered[T.y]"]),
        ("~ 1", ["Intercept"]),
        ("~ 0 + alloc + alloc:I(year - 1983)", [f"alloc[{a}]{b}" for b in ("", ":I(year - 1983)") for a in "abc"]),
    ],
)
def test_formulas_give_the_columns_that_they_name(formula, names):
    found = matrix(formula)
    assert list(found.design.names) == names
    assert [i for term in found.terms for i in term.columns] == list(range(len(names)))


def test_values_of_the_columns():
    x = matrix("~ ablat * alloc").x
    b = np.array([label == "b" for label in FRAME["alloc"]], dtype=float)
    np.testing.assert_allclose(x[:, [0, 1, 2, 4]], np.column_stack([np.ones(K), LATITUDE, b, LATITUDE * b]))
    np.testing.assert_allclose(matrix("~ log(ablat)").x[:, 1], np.log(LATITUDE))
    np.testing.assert_allclose(matrix("~ center(ablat)").x[:, 1], LATITUDE - LATITUDE.mean())
    np.testing.assert_allclose(matrix("~ scale(ablat)").x[:, 1], (LATITUDE - LATITUDE.mean()) / LATITUDE.std(ddof=1))
    # a spline basis of R: columns sum to 1 with the one left out
    assert matrix("~ bs(ablat, df=4)").x.shape == (K, 5)
    np.testing.assert_allclose(matrix("~ bs(ablat, df=4)").x[np.argmax(LATITUDE), 1:], [0, 0, 0, 1], atol=1e-12)


def test_terms_of_interactions_know_their_factors():
    terms = {term.name: term for term in matrix("~ ablat * alloc").terms}
    assert terms["ablat:alloc"].factors == {"ablat", "alloc"}
    assert terms["Intercept"].factors == frozenset()
    assert matrix("~ 0 + alloc").intercept is False


@pytest.mark.parametrize(
    "formula",
    [
        "~ ablat + year",
        "~ ablat * alloc",
        "~ bs(ablat, df=4)",
        "~ center(ablat) + scale(year)",
        "~ C(grade)",
        "~ ordered",
    ],
)
def test_new_rows_are_coded_as_the_data_were(formula):
    found = matrix(formula)
    rows, index = found.rows_for(FRAME.iloc[3:5])
    np.testing.assert_allclose(rows, found.x[3:5], rtol=1e-14, atol=1e-14)
    assert index == ["3", "4"]
    one, _ = found.rows_for(FRAME.iloc[[7]])
    np.testing.assert_allclose(one, found.x[[7]], rtol=1e-14, atol=1e-14)


def test_the_fast_way_and_formulaic_agree():
    # a formula that is not a plain sum goes through formulaic
    np.testing.assert_array_equal(matrix("~ ablat + year").x, matrix("~ (ablat) + (year)").x)
    assert matrix("~ ablat + year").design.names == matrix("~ (ablat) + (year)").design.names


def test_plain_sums_do_not_import_formulaic():
    code = (
        "import sys, numpy as np\nfrom bayesmeta.effects.effects import effects_from_arrays\n"
        "from bayesmeta.effects.model_matrix import effects_with_moderators\n"
        "e = effects_from_arrays(np.arange(4.0), np.ones(4))\n"
        "effects_with_moderators(e, '~ x + z', {'x': [1, 2, 3, 5], 'z': [0, 1, 0, 1]})\n"
        "effects_with_moderators(e, np.array([[1, 1], [1, 2], [1, 3], [1, 5]]))\n"
        "print([name for name in ('formulaic', 'pandas') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("formula", "error", "text"),
    [
        ("~ ablt", SpecError, r"'ablt' for the formula '~ ablt'; did you mean 'ablat'"),
        ("~ lg(ablat)", SpecError, r"'lg' .*did you mean 'log'"),
        ("yi ~ ablat", SpecError, "moderators only"),
        ("~ .", SpecError, "name the moderators"),
        ("~ log(", SpecError, "cannot be read"),
        ("~ 0", SpecError, "no terms"),
        ("~ np.load('x')", SpecError, "'np.load'"),
        ("~ {().__class__}", SpecError, "'__class__'|'\\(\\).__class__'"),
        ("~ {[a for a in ablat]}", SpecError, "do not understand"),
        ("~ __import__('os')", SpecError, "'__import__'"),
        ("~ constant", DataError, "column 'constant': the moderator is 3 for all 13 estimates"),
        ("~ nearly", DataError, "column 'nearly': the moderator is 1e\\+06 to ten digits"),
        (
            "~ ablat + I(2 * ablat)",
            DataError,
            r"'I\(2 \* ablat\)' cannot be told apart from Intercept, ablat.*rank 2 for 3",
        ),
        ("~ 1 + alloc:C(grade):ordered", DataError, "coefficients .* from 13 estimates|cannot be told apart"),
        ("~ bs(ablat, df=13)", DataError, "14 coefficients .* cannot be estimated from 13 estimates"),
        ("~ gaps", DataError, r"column 'gaps': the moderator is missing for 'S1', 'S3'\n.*drop_missing=True"),
        ("~ log(center)", DataError, "not a finite number"),
    ],
)
def test_what_cannot_be_estimated_is_refused(formula, error, text):
    with pytest.raises(error, match=f"(?s){text}"):
        matrix(formula)


def test_missing_moderators_are_dropped_on_request_only():
    effects, found = effects_with_moderators(EFFECTS, "~ gaps + ablat", FRAME, drop_missing=True)
    assert found.dropped == ("'S1' is left out: gaps missing", "'S3' is left out: gaps missing")
    assert effects.k == 11
    assert effects.reasons[1] == "moderator missing"
    assert found.x.shape == (11, 3)
    # a gap in a column that the formula does not name does not matter
    assert matrix("~ ablat").used.all()


def test_new_values_that_the_model_does_not_know():
    found = matrix("~ alloc")
    with pytest.raises(SpecError, match="without the category 'q'"):
        found.rows_for({"alloc": ["q"]})
    with pytest.raises(DataError, match="row 1, column 'alloc'"):
        found.rows_for({"alloc": [None]})
    with pytest.raises(SpecError, match="'alloc'"):
        found.rows_for({"dose": [1.0]})
    with pytest.raises(SpecError, match="beyond upper and/or lower bounds"):
        matrix("~ bs(ablat, df=4)").rows_for({"ablat": [90.0]})


def test_a_column_named_like_a_parameter_is_refused():
    with pytest.raises(SpecError, match="'tau' has the name of a parameter"):
        matrix("~ tau", FRAME.assign(tau=LATITUDE))


def test_x_is_taken_as_it_is():
    x = np.column_stack([np.ones(K), LATITUDE])
    for given, names in (
        (x, ("x1", "x2")),
        (Design(x, ("one", "lat")), ("one", "lat")),
        (pd.DataFrame(x, columns=["one", "lat"]), ("one", "lat")),
    ):
        found = effects_with_moderators(EFFECTS, given)[1]
        assert found.design.names == names
        np.testing.assert_array_equal(found.x, x)
        assert found.intercept
    with pytest.raises(DataError, match=r"X has shape \(3, 2\)"):
        effects_with_moderators(EFFECTS, x[:3])


def test_columns_of_a_study_table():
    table = read_studies(
        pd.DataFrame(
            {
                "study": list("ABCD"),
                "yi": [0.1, 0.2, 0.3, 0.5],
                "vi": [0.1] * 4,
                "weeks": ["2", "4", "", "9"],
                "focus": list("xyxy"),
            }
        )
    )
    from bayesmeta.effects.compute import effect_sizes

    effects = effect_sizes(table, "GEN")
    _, found = effects_with_moderators(effects, "~ focus")
    assert found.design.names == ("Intercept", "focus[T.y]")
    _, found = effects_with_moderators(effects, "~ weeks", drop_missing=True)
    np.testing.assert_array_equal(found.x[:, 1], [2, 4, 9])
    # columns given beside the table come first
    _, found = effects_with_moderators(effects, "~ weeks", {"weeks": [1, 2, 3, 4]})
    np.testing.assert_array_equal(found.x[:, 1], [1, 2, 3, 4])
    with pytest.raises(DataError, match="data has 2 rows, but there are 4 estimates"):
        effects_with_moderators(effects, "~ weeks", {"weeks": [1, 2]})
