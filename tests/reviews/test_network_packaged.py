"""The networks of the reviews in this repository."""

import pandas as pd
import pytest
from paths import REVIEWS_FOLDER

import bayesmeta as bm
from bayesmeta.reviews.analysis_data import data_problem
from bayesmeta.reviews.spec import read_review

PIP = REVIEWS_FOLDER / "pip"
#: analysis of an outcome against control, and against another treatment
COMPARISONS = {
    "1.1": "2.1", "1.8": "2.6", "1.9": "2.7", "1.10": "2.9", "1.11": "2.8", "1.12": "2.10", "1.13": "2.11", "1.14": "2.12", "1.15": "2.13"
}  # fmt: skip


@pytest.mark.parametrize("control", COMPARISONS)
def test_the_arms_of_pip_are_those_of_its_pairwise_rows(control):
    other = COMPARISONS[control]
    analyses = pd.read_csv(PIP / "analyses.csv", dtype=str).set_index("analysis")
    assert analyses.loc[control, "outcome"] == analyses.loc[other, "outcome"]
    rows = pd.read_csv(PIP / "dichotomous.csv", dtype={"analysis": str}).query("analysis in [@control, @other]")
    named = pd.read_csv(PIP / "studies.csv").set_index("study")["alternative_treatment"]
    treatments = [
        "control" if one == control else named[study]
        for one, study in zip(rows["analysis"], rows["study"], strict=True)
    ]
    pairs = rows.drop(columns="shared_arm_e").assign(treatment_e="PIP", treatment_c=treatments)
    expected = bm.pairwise_arms(pairs)
    table = bm.read_arms(PIP / "arms_dichotomous.csv", where={"outcome": analyses.loc[control, "outcome"]})
    for name in ("studies", "treatments"):
        assert getattr(table, name) == getattr(expected, name)
    for name in ("events", "n"):
        assert table.columns[name].tolist() == expected.columns[name].tolist()
    # an arm says which analyses have it
    for study, treatment, source in zip(table.studies, table.treatments, table.extra["from_analyses"], strict=True):
        chosen = pairs[(pairs["study"] == study) & ((treatment == "PIP") | (pairs["treatment_c"] == treatment))]
        assert source == " and ".join(chosen["analysis"])


def test_pip_against_control_is_the_published_result():
    net = bm.network_meta(
        bm.read_arms(PIP / "arms_dichotomous.csv", where={"outcome": "Parental depression (incidence)"}),
        "RR", reference="control", method="DL",
    )  # fmt: skip
    row = net.summary("natural").loc["PIP vs control"]
    assert (round(row["estimate"], 2), round(row["ci_low"], 2), round(row["ci_high"], 2)) == (0.74, 0.52, 1.04)


@pytest.mark.parametrize("name", ["pip", "smoking"])
def test_the_data_of_every_network_can_be_used(name):
    review, folder = read_review(REVIEWS_FOLDER / name)
    assert review.network
    for network in review.network:
        assert data_problem(review, network, folder) == ""


def test_the_readme_of_smoking_has_the_frequentist_numbers():
    text = (REVIEWS_FOLDER / "smoking" / "README.md").read_text(encoding="utf-8")
    net = bm.network_meta(REVIEWS_FOLDER / "smoking" / "arms.csv", "OR", reference="No intervention", method="REML")
    assert f"| tau2 | {net.tau2:.4f} |" in text
    for name, row in net.summary().iterrows():
        assert f"| {name.removesuffix(' vs No intervention')} | {row['estimate']:.4f} ({row['se']:.4f}) |" in text
    found = bm.inconsistency(net)
    assert f"Q = {found.loc['between designs', 'q']:.2f} on 7 degrees of freedom (p = 0.03)" in text
    assert f"Q = {found.loc['between designs (random)', 'q']:.2f} (p = 0.70)" in text


def test_the_arms_of_smoking_are_those_of_the_reference():
    from networks.reference_data import DATASETS

    ours = bm.network_contrasts(REVIEWS_FOLDER / "smoking" / "arms.csv", "OR")
    data = DATASETS["smokingcessation"]
    letters = {"A": "No intervention", "B": "Self-help", "C": "Individual counselling", "D": "Group counselling"}
    net = bm.network_meta(ours, reference="No intervention", method="DL")
    there = data["fits"]["netmeta__DL"]
    names = [letters[one] for one in there["trts"]]
    found = net.effects.loc[names, names].to_numpy()
    assert found == pytest.approx(pd.DataFrame(there["TE_random"]).to_numpy(dtype=float), rel=1e-9, abs=1e-12)
