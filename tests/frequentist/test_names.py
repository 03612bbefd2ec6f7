"""Records of frequentist methods: each has its function, its label, and is found by every spelling."""

import pytest

from bayesmeta.errors import SpecError
from bayesmeta.frequentist.heterogeneity import TAU2_ESTIMATORS
from bayesmeta.frequentist.names import CI_METHODS, COMMON_EFFECT_METHODS, METHODS, PI_METHODS, find_records


def test_every_estimator_of_tau2_has_a_record_and_every_record_an_estimator() -> None:
    used = {record.estimator for record in METHODS.values() if record.estimator is not None}
    assert used == set(TAU2_ESTIMATORS)


def test_labels_as_papers_print_them() -> None:
    labels = {name: record.label for name, record in {**METHODS, **COMMON_EFFECT_METHODS}.items()}
    assert labels == {
        "CE": "Common effect (inverse variance)",
        "DL": "DerSimonian-Laird",
        "DL-MH": "DerSimonian-Laird (Mantel-Haenszel Q)",
        "PM": "Paule-Mandel",
        "REML": "REML",
        "ML": "Maximum likelihood",
        "EB": "Empirical Bayes",
        "SJ": "Sidik-Jonkman",
        "HE": "Hedges",
        "HS": "Hunter-Schmidt",
        "HSK": "Hunter-Schmidt, small samples",
        "PMM": "Paule-Mandel, median-unbiased",
        "DLIT": "DerSimonian-Laird, iterated",
        "SJIT": "Sidik-Jonkman, iterated",
        "MH": "Mantel-Haenszel",
        "Peto": "Peto",
    }
    assert CI_METHODS["hksj_guarded"].label == "guarded Hartung-Knapp"


@pytest.mark.parametrize("record", METHODS.values(), ids=list(METHODS))
def test_names_and_aliases_are_found_in_either_case(record) -> None:
    for spelling in (record.name, *record.aliases):
        assert find_records(spelling.lower(), "WALD", "auto", 0.95)[0] is record


def test_no_spelling_names_two_methods() -> None:
    spellings = [spelling for record in METHODS.values() for spelling in (record.name, *record.aliases)]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize("record", CI_METHODS.values(), ids=list(CI_METHODS))
def test_auto_is_the_prediction_interval_of_the_confidence_interval(record) -> None:
    _, interval, prediction = find_records("DL", record.name, "auto", 0.95)
    assert interval is record
    assert prediction is PI_METHODS[record.prediction]


def test_auto_is_named_among_the_prediction_intervals() -> None:
    with pytest.raises(SpecError, match="Known: auto, hts, hk, hk_pr, v, z"):
        find_records("DL", "wald", "riley", 0.95)
