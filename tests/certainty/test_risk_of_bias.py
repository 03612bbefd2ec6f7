"""Tools and judgements of the risk of bias: what is read, what is refused, and the overall judgement."""

from __future__ import annotations

import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.certainty.risk_of_bias import overall_of, weight_by_judgement
from bayesmeta.certainty.risk_of_bias_tools import get_tool, tools
from bayesmeta.errors import DataError, SpecError

DOMAINS = ("randomization", "deviations", "missing_data", "measurement", "reported_result")


def wide(**changes: list[str]) -> pd.DataFrame:
    columns = {f"rob_{name}": ["low", "Some concerns", "HIGH RISK"] for name in DOMAINS}
    return pd.DataFrame({"study": ["A", "B", "C"], **columns, **changes})


def test_every_tool_is_complete_and_readable_in_grey() -> None:
    assert set(tools()) == {"cochrane", "rob2", "robins-i", "quadas-2"}
    assert [len(tool.domains) for tool in tools().values()] == [7, 5, 7, 7]
    for tool in tools().values():
        symbols = [one.symbol for one in tool.judgements]
        assert len(set(symbols)) == len(symbols) == len({one.colour for one in tool.judgements})
        assert sorted(one.severity for one in tool.judgements) == list(range(len(tool.judgements)))
        assert any(one.high for one in tool.judgements)
        for one in tool.domains:
            assert tool.domain(one.label) is tool.domain(one.key) is one
        for judged in tool.judgements:
            for text in (judged.name, judged.label, judged.label.upper(), *judged.spellings):
                assert tool.judgement(text) is judged


def test_one_row_per_study() -> None:
    found = bm.risk_of_bias(wide(), "rob2")
    assert found.of("C") == {**dict.fromkeys(DOMAINS, "high"), "overall": "high"}
    assert found.of("B")["overall"] == "some concerns"
    assert list(found.to_frame().columns) == ["study", *DOMAINS, "overall"]


def test_one_row_per_study_and_domain_as_cochrane_writes_them_and_the_worst_counts() -> None:
    rows = [
        ("A", "Random sequence generation (selection bias)", "low risk"),
        ("A", "Blinding of outcome assessment (detection bias): All outcomes", "low risk"),
        ("A", "Blinding of outcome assessment (detection bias) (mortality)", "high risk"),
        ("A", "Other bias", "not judged"),
    ]
    frame = pd.DataFrame(rows, columns=["study", "domain", "judgement"])
    found = bm.risk_of_bias(frame, "cochrane").of("A")
    assert found["sequence_generation"] == "low"
    assert found["blinding_outcome_assessment"] == "high"
    assert found["other_bias"] == found["allocation_concealment"] == ""
    assert found["overall"] == "high"


def test_the_overall_judgement() -> None:
    tool = get_tool("cochrane")
    low = ["low"] * 7
    assert overall_of(tool, low) == "low"
    assert overall_of(tool, ["unclear", *low[1:]]) == "unclear"
    assert overall_of(tool, ["high", "unclear", *low[2:]]) == "high"
    # open where one is missing and none is high
    assert overall_of(tool, ["", *low[1:]]) == ""
    assert overall_of(tool, ["", "high", *low[2:]]) == "high"
    key = get_tool("cochrane", key_domains=["allocation_concealment"])
    assert overall_of(key, ["high", "low", "high", "high", "high", "high", "high"]) == "low"
    robins = get_tool("robins-i")
    assert overall_of(robins, ["moderate", "no information", *["low"] * 5]) == "no information"
    assert overall_of(robins, ["serious", "no information", *["critical"] * 5]) == "critical"
    # concerns about applicability are no risk of bias
    assert overall_of(get_tool("quadas-2"), ["low"] * 4 + ["high"] * 3) == "low"


def test_a_given_overall_judgement_is_kept() -> None:
    found = bm.risk_of_bias(wide(rob_overall=["high", "high", ""]), "rob2")
    assert [found.overall[name] for name in "ABC"] == ["high", "high", "high"]


def test_the_reviewers_own_tool() -> None:
    frame = pd.DataFrame(
        {"study": ["A", "B"], "rob_confounding": ["good", "poor"], "rob_missing_data": ["fair", "good"]}
    )
    found = bm.risk_of_bias(frame, "own", domains=["Confounding", "Missing data"], judgements=["good", "fair", "poor"])
    assert found.overall == {"A": "fair", "B": "poor"}
    assert found.tool.is_high("poor")
    assert not found.tool.is_high("fair")


def test_shares_of_the_weight() -> None:
    shares = weight_by_judgement(get_tool("cochrane"), ["low", "high", "", "high"], [10.0, 30.0, 20.0, float("nan")])
    assert shares == pytest.approx({"low": 1 / 6, "unclear": 0.0, "high": 0.5, "": 1 / 3})


@pytest.mark.parametrize(
    ("frame", "parts"),
    [
        (wide(rob_randomization=["low", "medium", "low"]), ("'medium' is no judgement of RoB 2", "low, some concerns, high")),
        (wide(rob_randomization=["low", "hihg", "low"]), ("Is it high?",)),
        (wide(rob_randomisaton=["low"] * 3), ("column 'rob_randomisaton'", "no domain of RoB 2", "rob_randomization")),
        (wide(rob_d1=["low"] * 3), ("same domain, 'randomization'",)),
        (wide().drop(columns="rob_deviations"), ("no column for the domain deviations", "rob_deviations")),
        (wide(study=["A", "A", "B"]), ("'A' has other judgements in another row",)),
        (wide(study=["A", "", "B"]), ("no study name",)),
        (pd.DataFrame({"study": ["A"], "domain": ["Luck"], "judgement": ["low"]}), ("'Luck' is no domain of RoB 2",)),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_used(frame: pd.DataFrame, parts: tuple[str, ...]) -> None:
    with pytest.raises(DataError) as caught:
        bm.risk_of_bias(frame, "rob2")
    for part in parts:
        assert part in str(caught.value)


def test_a_study_without_judgements_is_named_with_the_nearest() -> None:
    with pytest.raises(DataError, match="Is it 'Trial A' there"):
        bm.risk_of_bias(wide(study=["Trial A", "Trial B", "Trial C"]), "rob2").of("Trail A")


@pytest.mark.parametrize(
    ("tool", "options", "message"),
    [
        ("rob3", {}, "did you mean 'rob2'"),
        ("rob2", {"domains": ["luck"]}, "domain of RoB 2"),
        ("rob2", {"key_domains": ["luck"]}, "domain of RoB 2"),
        ("rob2", {"judgements": ["good", "bad"]}, "its own"),
        ("own", {}, "needs domains"),
        ("own", {"domains": ["A", "a"]}, "differ in their letters"),
        ("own", {"domains": ["A"], "judgements": ["one"]}, "two to five"),
    ],
)
def test_tools_that_are_none(tool: str, options: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        get_tool(tool, **options)


@pytest.mark.parametrize(
    ("tool", "judgements", "keys"),
    [
        (
            "rob2", ["Low", "Some concerns", "High", "Low", "Low"],
            ["randomization", "deviations", "missing_data", "measurement", "reported_result"],
        ),
        (
            "robins-i", ["Moderate", "Low", "Low", "Low", "Serious", "Low", "No information"],
            ["confounding", "selection", "classification", "deviations", "missing_data", "measurement", "reported_result"],
        ),
        ("quadas-2", ["High", "Low", "Unclear", "Low"], ["patient_selection", "index_test", "reference_standard", "flow_timing"]),
    ],
)  # fmt: skip
def test_tables_of_robvis_are_read_as_they_are(tool, judgements, keys):
    """R robvis (McGuinness and Higgins 2021, Res Synth Methods 12:55-61): Study, D1 and so on, Overall."""
    columns = {"Study": ["A"], **{f"D{i + 1}": [text] for i, text in enumerate(judgements)}, "Overall": [judgements[0]]}
    found = bm.risk_of_bias(pd.DataFrame(columns), tool, prefix="", domains=tuple(keys)).of("A")
    assert found == {
        **dict(zip(keys, (text.lower() for text in judgements), strict=True)),
        "overall": judgements[0].lower(),
    }


#: names of the domains in the captions of R robvis 0.3 (R/rob_traffic_light.R), in the order D1, D2 ...
ROBVIS = {
    "rob2": ("Bias arising from the randomization process", "Bias due to deviations from intended intervention",
             "Bias due to missing outcome data", "Bias in measurement of the outcome", "Bias in selection of the reported result"),
    "robins-i": ("Bias due to confounding", "Bias due to selection of participants", "Bias in classification of interventions",
                 "Bias due to deviations from intended interventions", "Bias due to missing data", "Bias in measurement of outcomes",
                 "Bias in selection of the reported result"),
    "quadas-2": ("Patient selection", "Index test", "Reference standard", "Flow & timing"),
}  # fmt: skip


@pytest.mark.parametrize("name", ROBVIS)
def test_the_domains_are_those_of_robvis_in_their_order(name) -> None:
    tool = get_tool(name)
    for i, label in enumerate(ROBVIS[name]):
        assert tool.domain(label) == tool.domain(f"D{i + 1}") == tool.domains[i], label


@pytest.mark.parametrize(
    ("name", "judgements", "overall"),
    [
        # Sterne et al. 2016, table 2: no information where there is no clear indication of serious or critical risk
        ("robins-i", ("low", "moderate", "low"), "moderate"),
        ("robins-i", ("low", "no information", "moderate"), "no information"),
        ("robins-i", ("no information", "serious", "low"), "serious"),
        ("robins-i", ("serious", "critical", "no information"), "critical"),
        # Cochrane Handbook 6, table 8.2.b
        ("rob2", ("low", "some concerns", "some concerns"), "some concerns"),
        ("rob2", ("low", "some concerns", "high"), "high"),
    ],
)
def test_the_overall_judgement_is_that_of_the_tool(name, judgements, overall) -> None:
    assert get_tool(name).worst(judgements) == overall
