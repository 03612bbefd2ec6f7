"""What ARCHITECTURE.md says under "How to add", done from outside the package: nothing in the library is edited."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.effects.measures import MEASURES, Measure
from bayesmeta.reporting.tables.formats import TABLE_FORMATS, TableFormat
from bayesmeta.reporting.tables.layout import Table, lay_out
from bayesmeta.reporting.tables.write import write
from bayesmeta.support.arrays import Array

SCORES = pd.DataFrame(
    {
        "study": ["Adams", "Baker", "Clark", "Davis"],
        "mean_e": [20.1, 18.0, 22.4, 19.5], "sd_e": [8.2, 7.5, 9.9, 6.1], "n_e": [40, 30, 55, 24],
        "mean_c": [25.3, 19.2, 24.0, 23.1], "sd_c": [9.1, 8.8, 9.2, 8.0], "n_c": [42, 28, 51, 26],
    }
)  # fmt: skip
REVIEW = """
id = "spread"
title = "Spread of the scores"
notice = "Made-up numbers, to test with."

[settings]
engine = "quadrature"

[[analysis]]
id = "1.1"
outcome = "Score"
measure = "VR"
better = "lower"
data = "scores.csv"
published = { estimate = 0.9, ci_low = 0.7, ci_high = 1.2 }
"""


def log_variability_ratio(
    _mean_e: Array, sd_e: Array, n_e: Array, _mean_c: Array, sd_c: Array, n_c: Array
) -> tuple[Array, Array]:
    """Log ratio of standard deviations and its variance (Nakagawa et al. 2015, Methods Ecol Evol 6:143, eqs 1 and 2)."""
    yi = np.log(sd_e / sd_c) + 1 / (2 * (n_e - 1)) - 1 / (2 * (n_c - 1))
    return yi, 1 / (2 * (n_e - 1)) + 1 / (2 * (n_c - 1))


VARIABILITY_RATIO = Measure(
    "VR",
    "Variability ratio",
    "variability ratio",
    ("continuous", "estimate"),
    log=True,
    formulas={"": log_variability_ratio},
    prior_sds=(2.82, 0.5),
)


@pytest.fixture
def with_variability_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MEASURES, "VR", VARIABILITY_RATIO)


@pytest.mark.usefixtures("with_variability_ratio")
def test_a_continuous_measure_is_one_record_and_one_formula() -> None:
    effects = bm.effect_sizes(bm.read_studies(SCORES), "vr")
    # metafor 3.8.1: escalc(measure = "VR")
    np.testing.assert_allclose(effects.yi[:2], [-0.103514868383304, -0.161125840150070], rtol=1e-12)
    np.testing.assert_allclose(effects.vi[:2], [0.0250156347717323, 0.0357598978288633], rtol=1e-12)
    assert bm.default_priors("VR").to_dict() == {"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"}
    posterior = bm.fit(SCORES, measure="VR")
    assert (posterior.likelihood, posterior.measure) == ("normal", "VR")
    natural = bm.summarize(posterior, scale="natural")
    assert natural.loc["mu", "median"] == pytest.approx(np.exp(posterior.quantile("mu", 0.5)), rel=1e-9)
    compared = bm.compare(SCORES, measure="VR", scale="natural").set_index("method")
    assert compared.loc["DL", "estimate"] == pytest.approx(
        np.exp(bm.random_effects(effects, method="DL").estimate), rel=1e-9
    )
    assert bm.influence(posterior, scale="natural").shape[0] == 5


@pytest.mark.usefixtures("with_variability_ratio")
def test_a_review_with_that_measure_has_every_output(tmp_path: Path) -> None:
    SCORES.to_csv(tmp_path / "scores.csv", index=False)
    (tmp_path / "review.toml").write_text(REVIEW, encoding="utf-8")
    done = bm.run_review(tmp_path / "review.toml", out=tmp_path / "out")
    assert not done.failed
    main = (tmp_path / "out" / "tables" / "main.md").read_text(encoding="utf-8")
    assert "VR: variability ratio" in main
    assert (tmp_path / "out" / "figures" / "forest_1.1.png").stat().st_size > 10_000


def tab_separated(table: Table, name: str) -> str:
    """Render the rows of a table between tabs, under its name."""
    layout = lay_out(table)
    rows = [layout.headers, *(cells for _, section in layout.sections for _, cells in section)]
    return f"# {name}\n" + "".join("\t".join(cells) + "\n" for cells in rows)


def test_a_table_format_is_one_function_and_one_entry(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(TABLE_FORMATS, "tsv", TableFormat("tsv", "tab-separated", tab_separated))
    table = Table(pd.DataFrame({"Study": ["A", "B"], "Estimate": ["0.10", "0.20"]}), "A caption")
    (path,) = write(table, tmp_path / "small", ["tsv"])
    assert path.read_text(encoding="utf-8") == "# small\nStudy\tEstimate\nA\t0.10\nB\t0.20\n"
    counts = "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\nC,3,80,6,79\n"
    (tmp_path / "scores.csv").write_text(counts, encoding="utf-8")
    review = REVIEW.replace('"VR"', '"RR"').replace("[settings]", '[settings]\ntables = ["tsv", "md"]\nfigures = []')
    (tmp_path / "review.toml").write_text(review, encoding="utf-8")
    done = bm.run_review(tmp_path / "review.toml", out=tmp_path / "out")
    assert not done.failed
    assert (tmp_path / "out" / "tables" / "main.tsv").read_text(encoding="utf-8").startswith("# main\n")
    assert not list((tmp_path / "out" / "tables").glob("*.html"))
