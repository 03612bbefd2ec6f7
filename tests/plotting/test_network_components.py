"""Forest of components."""

import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError

TRIALS = pd.DataFrame(
    [
        ("1", "CBT + drug", "placebo", 0.62, 0.15), ("2", "CBT", "placebo", 0.41, 0.12), ("3", "drug", "placebo", 0.30, 0.11),
        ("4", "CBT + diet", "diet", 0.22, 0.16),
    ],
    columns=["study", "treat1", "treat2", "yi", "sei"],
)  # fmt: skip


def fits(measure="SMD"):
    priors = {"d": "Normal(0, 2)", "tau": "HalfNormal(0.3)"}
    exact = bm.network(TRIALS, measure, components="+", inactive="placebo", better="higher", priors=priors)
    return exact, bm.component_network(TRIALS, measure, inactive="placebo", method="REML")


def texts(figure):
    return [one.get_text() for part in (figure, *figure.axes) for one in part.texts]


def test_components_of_two_methods_below_each_other():
    figure = bm.component_forest(*fits(), title="What adds")
    found = texts(figure)
    for text in ("Component", "Trials", "CBT", "drug", "diet", "What adds"):
        assert text in found
    # diet is not identified: no frequentist estimate, and a note
    assert found.count("Bayesian") == 3
    assert found.count("REML") == 2
    assert any("do not identify the effects of diet" in text for text in found)
    assert any("favours the component" in text for text in found)
    assert any("favours placebo" in text for text in found)


def test_one_frequentist_fit_of_ratios_is_on_the_natural_scale():
    figure = bm.component_forest(fits("OR")[1])
    net = fits("OR")[1]
    cbt = net.component_table("natural").loc["CBT", "estimate"]
    assert any(text.startswith(f"{cbt:.2f} [") for text in texts(figure))


@pytest.mark.parametrize(
    ("nets", "match"),
    [
        (lambda: (), "give at least one fit"),
        (lambda: (bm.network(TRIALS[:3], "SMD"),), "fitted with components="),
        (lambda: (fits()[0], fits("OR")[1]), "same measure and components"),
        (lambda: (TRIALS,), "a component network"),
    ],
)
def test_other_fits_are_refused(nets, match):
    with pytest.raises(SpecError, match=match):
        bm.component_forest(*nets())
