"""Summary of many reviews against manual counts, and the prior fitted to their studies."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from reviews.collection.test_heterogeneity_model import MU, simulated
from typer.testing import CliRunner

from bayesmeta.cli.corpus import corpus as command
from bayesmeta.errors import BayesmetaError, DataError, SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.posterior.fit import fit
from bayesmeta.reviews.collection.counts import corpus_summary
from bayesmeta.reviews.collection.heterogeneity_model import HeterogeneityModel, fit_heterogeneity
from bayesmeta.reviews.collection.prior import CorpusPrior, corpus_prior
from bayesmeta.reviews.collection.read_corpus import read_corpus
from bayesmeta.reviews.collection.tables import corpus_tables, write_corpus
from bayesmeta.reviews.parquet import rows_bytes

MODEL = HeterogeneityModel(30, 200, -2.0, 0.2, -2.4, -1.6, 1.5, 0.2, 1.1, 1.9, -2.0, 1.6)


def row(review: str, analysis: str, method: str, low: float, high: float, tau: float, **more: Any) -> dict[str, Any]:
    """One tidy row on the natural scale."""
    rest = {"measure": "RR", "term": "mu", "estimate": (low * high) ** 0.5, "k": 3.0, "outcome": "Death", **more}
    return {
        "review": review,
        "analysis": analysis,
        "method": method,
        "ci_low": low,
        "ci_high": high,
        "tau": tau,
        **rest,
    }


QUAD, ARM = "bayes:normal:quadrature", "bayes:binomial:quadrature"
ROWS = [
    row("a", "1", "DL", 0.5, 0.9, 0.0), row("a", "1", "REML", 0.5, 0.9, 0.1), row("a", "1", "REML-HKSJ", 0.4, 1.1, 0.1),
    row("a", "1", QUAD, 0.45, 0.98, 0.2), row("a", "1", ARM, 0.45, 1.02, 0.25),
    # none of these is the fit under the main priors
    row("a", "1", "bayes:normal:averaged", 1.5, 2.0, 9.0), row("a", "1", QUAD + ":other", 1.5, 2.0, 9.0),
    row("a", "1", "bayes:normal:nuts", 1.5, 2.0, 9.0), row("a", "1", "published", 0.5, 0.9, np.nan, k=9.0),
    row("a", "1", "DL", 1.5, 2.0, 9.0),
    row("a", "1", QUAD, 0.1, 0.2, 0.2, term="tau"),
    row("a", "2", "DL", 1.2, 2.0, 0.3, outcome="death "), row("a", "2", "REML-HKSJ", 1.1, 2.2, 0.3),
    row("a", "2", QUAD, 1.05, 2.1, 0.4),
    row("b", "1", "DL", 0.8, 1.2, 0.1, k=5.0), row("b", "1", "REML-HKSJ", 0.8, 1.2, 0.1, k=5.0), row("b", "1", QUAD, 0.7, 1.3, 0.2, k=5.0),
    row("b", "2", "DL", 0.5, 0.9, 0.0, k=1.0), row("b", "2", QUAD, 0.5, 0.9, 0.4, k=1.0),
    row("b", "3", "DL", -0.2, 0.4, 0.0, measure="SMD", estimate=0.1, k=2.0),
    row("b", "3", "REML-HKSJ", -1.0, 1.2, 0.0, measure="SMD", k=2.0, estimate=0.1),
    row("b", "3", QUAD, 0.01, 0.4, 0.3, measure="SMD", k=2.0, estimate=0.2),
]  # fmt: skip


@pytest.fixture
def parquet(tmp_path: Path) -> Path:
    """A collection's rows."""
    file = tmp_path / "results.parquet"
    file.write_bytes(rows_bytes(ROWS))
    return file


def test_counts_against_manual_ones(parquet: Path) -> None:
    found = corpus_summary(parquet)
    assert list(zip(found.analyses["review"], found.analyses["analysis"], strict=True)) == [
        ("a", "1"), ("a", "2"), ("b", "1"), ("b", "3"),
    ]  # fmt: skip
    sizes = found.sizes.set_index("measure")
    assert sizes.loc["RR", ["analyses", "one_study", "several", "q50"]].tolist() == [4, 1, 3, 3]
    assert sizes.loc["all", ["analyses", "one_study", "several"]].tolist() == [5, 1, 4]
    tau = found.tau.set_index(["measure", "method"])
    assert set(found.tau["outcome"]) == {"all"}
    assert tau.loc[("RR", "dl"), ["analyses", "q50", "zero"]].tolist() == [3, 0.1, pytest.approx(1 / 3)]
    assert tau.loc[("RR", "dl"), "q75"] == pytest.approx(0.2)
    assert tau.loc[("RR", "normal"), ["analyses", "q5", "q50"]].tolist() == [3, 0.2, 0.2]
    assert tau.loc[("RR", "arm"), ["analyses", "q50"]].tolist() == [1, 0.25]
    shares = found.agreement.set_index(["measure", "method"])
    assert shares.loc[("RR", "dl"), ["analyses", "excluding"]].tolist() == [3, 2]
    assert shares.loc[("RR", "hk"), ["analyses", "excluding"]].tolist() == [3, 1]
    assert shares.loc[("RR", "normal"), ["analyses", "excluding"]].tolist() == [3, 2]
    assert shares.loc[("RR", "arm"), ["analyses", "excluding"]].tolist() == [1, 0]
    # no effect is 0 for a difference
    assert shares.loc[("SMD", "dl"), ["analyses", "excluding"]].tolist() == [1, 0]
    assert shares.loc[("SMD", "normal"), ["analyses", "excluding"]].tolist() == [1, 1]
    assert shares.loc[("all", "dl"), ["analyses", "excluding", "share"]].tolist() == [4, 2, 0.5]


def test_concordance_against_manual_counts(parquet: Path) -> None:
    found = corpus_summary(parquet).concordance.set_index(["measure", "first", "second"])
    cells = ["analyses", "both", "only_first", "only_second", "neither"]
    assert found.loc[("RR", "dl", "hk"), cells].tolist() == [3, 1, 1, 0, 1]
    assert found.loc[("RR", "normal", "arm"), cells].tolist() == [1, 0, 1, 0, 0]
    assert found.loc[("all", "dl", "normal"), cells].tolist() == [4, 2, 0, 1, 1]
    # widths on the log scale
    ratios = [np.log(1.1 / 0.4) / np.log(0.9 / 0.5), np.log(2.2 / 1.1) / np.log(2.0 / 1.2), 1.0]
    assert found.loc[("RR", "dl", "hk"), "width_ratio"] == pytest.approx(np.median(ratios))
    assert found.loc[("SMD", "dl", "hk"), "width_ratio"] == pytest.approx(2.2 / 0.6)


def test_outcomes_that_five_analyses_share_are_shown(tmp_path: Path) -> None:
    rows = [row("a", str(i), "DL", 0.5, 1.5, 0.1 * i, outcome="Death" if i % 2 else "  DEATH") for i in range(5)]
    rows += [row("b", str(i), "DL", 0.5, 1.5, 0.1, outcome="Pain") for i in range(4)]
    rows += [row("c", str(i), "DL", 0.5, 1.5, 0.1, outcome="") for i in range(6)]
    (tmp_path / "results.parquet").write_bytes(rows_bytes(rows))
    found = corpus_summary(tmp_path).tau.set_index("outcome")
    assert list(found.index) == ["all", "DEATH"]
    assert found.loc["DEATH", ["analyses", "q50", "zero"]].tolist() == [5, 0.2, 0.2]


def test_csv_of_one_run_gives_the_same_and_order_does_not_matter(tmp_path: Path, parquet: Path) -> None:
    whole = pd.DataFrame([one for one in ROWS if one["review"] == "a"])
    folder = tmp_path / "one"
    folder.mkdir()
    whole.drop(columns="review").to_csv(folder / "results.csv", index=False)
    one = corpus_summary(folder)
    assert one.agreement["measure"].unique().tolist() == ["RR"]
    assert one.analyses["tau_normal"].tolist() == [0.2, 0.4]
    (tmp_path / "turned.parquet").write_bytes(rows_bytes([*ROWS[:9], *reversed(ROWS[10:]), ROWS[9]]))
    here, there = corpus_summary(parquet), corpus_summary(tmp_path / "turned.parquet")
    for name in ("sizes", "tau", "agreement", "concordance"):
        pd.testing.assert_frame_equal(getattr(here, name), getattr(there, name))


def test_tables_and_files(tmp_path: Path, parquet: Path) -> None:
    summary = corpus_summary(parquet)
    found = corpus_tables(summary, CorpusPrior({"RR": MODEL}, {"MD": "tau has a unit"}))
    assert list(found) == ["sizes", "tau", "agreement", "concordance", "prior"]
    assert found["agreement"].frame.iloc[0].tolist() == ["RR", "DerSimonian-Laird", "3", "2", "66.7%"]
    assert "LogNormal(-2.00, 1.60)" in found["prior"].frame.iloc[0].tolist()
    written = {path.name for path in write_corpus(tmp_path / "out", summary)}
    assert {"analyses.csv", "agreement.csv", "agreement.md", "corpus.png", "corpus.svg"} <= written
    again = pd.read_csv(tmp_path / "out" / "analyses.csv", dtype={"analysis": str})
    np.testing.assert_allclose(again["width_dl"], summary.analyses["width_dl"], rtol=1e-9)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("results.parquet", b"no parquet", "cannot be read"),
        ("results.csv", b"", "cannot be read"),
        ("results.csv", b"analysis,method\n1,DL\n", "no column 'measure'"),
        ("results.csv", b"analysis,method,measure,term,estimate,ci_low,ci_high,tau,k\n1,DL,RR,tau,1,1,1,1,1\n", "no pooled"),
        ("results.csv", b"analysis,method,measure,term,estimate,ci_low,ci_high,tau,k\n1,DL,RR,mu,one,1,1,1,1\n", "cannot be read"),
        ("results.csv", b"analysis,method,measure,term,estimate,ci_low,ci_high,tau,k\n1,DL,XX,mu,1,1,1,1,1\n", "unknown measure"),
        ("other.txt", b"", "neither"),
    ],
)  # fmt: skip
def test_files_without_results_are_refused(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BayesmetaError, match=reason):
        read_corpus(tmp_path)


def collection(folder: Path, measure: str, n: int = 12, level: float = 0.95) -> list[tuple[np.ndarray, np.ndarray]]:
    """Write the outputs of a run of two reviews of simulated studies; return the effects and variances."""
    from scipy.special import ndtri

    data = simulated(n, -2.0, 1.0, 11)
    back = np.exp if measure == "RR" else np.asarray
    z = ndtri(0.5 + 0.5 * level)
    rows = []
    studies: dict[str, list[dict[str, Any]]] = {"a": [], "b": []}
    for i, (yi, vi) in enumerate(data):
        review = "ab"[i % 2]
        rows.append(row(review, f"1.{i}0", "DL", 0.5, 0.9, 0.1, measure=measure, k=float(len(yi))))
        for y, v in zip(yi, vi, strict=True):
            ends = [float(back(value)) for value in (y, y - z * v**0.5, y + z * v**0.5)]
            values = dict(zip(("estimate", "ci_low", "ci_high"), ends, strict=True))
            studies[review].append({"analysis": f"1.{i}0", "study": "x", **values, "reason": ""})
        excluded = {"estimate": 9.0, "ci_low": 1.0, "ci_high": 80.0, "reason": "excluded"}
        studies[review].append({"analysis": f"1.{i}0", "study": "out", **excluded})
    rows.append(row("a", "9.1", "DL", 0.5, 0.9, 0.1, measure=measure, k=1.0))
    studies["a"].append({"analysis": "9.1", "study": "x", "estimate": 0.7, "ci_low": 0.5, "ci_high": 0.9, "reason": ""})
    (folder / "results.parquet").write_bytes(rows_bytes(rows))
    for review, found in studies.items():
        (folder / review).mkdir()
        pd.DataFrame(found).to_csv(folder / review / "studies.csv", index=False)
        settings = {"settings": {"level": level}, "analysis": [{"id": "1.00", "level": None}]}
        (folder / review / "review.json").write_text(json.dumps(settings), encoding="utf-8")
    return data


@pytest.mark.parametrize(("measure", "level"), [("RR", 0.95), ("SMD", 0.9)])
def test_the_prior_is_that_of_the_effects_that_were_pooled(tmp_path: Path, measure: str, level: float) -> None:
    data = collection(tmp_path, measure, level=level)
    found = corpus_prior(tmp_path).models[measure]
    mu = MU if measure == "RR" else Prior("Normal", (0.0, 2.0))
    np.testing.assert_allclose(list(vars(found).values()), list(vars(fit_heterogeneity(data, mu)).values()), rtol=1e-7)


def test_measures_without_a_prior_have_a_reason(tmp_path: Path) -> None:
    collection(tmp_path, "MD")
    found = corpus_prior(tmp_path)
    assert not found.models
    assert "unit of the outcome" in found.left_out["MD"]
    with pytest.raises(SpecError, match="unit of the outcome"):
        corpus_prior(tmp_path, ["MD"])
    with pytest.raises(SpecError, match="unknown measure"):
        corpus_prior(tmp_path, ["RRR"])


def test_too_few_analyses_or_no_studies(tmp_path: Path) -> None:
    collection(tmp_path, "RR", n=4)
    assert "4 analyses" in corpus_prior(tmp_path).left_out["RR"]
    (tmp_path / "b" / "studies.csv").unlink()
    with pytest.raises(DataError, match=r"studies\.csv"):
        corpus_prior(tmp_path)


def test_the_prior_written_is_the_prior_used(tmp_path: Path) -> None:
    file = CorpusPrior({"RR": MODEL}, {}).write(tmp_path / "prior.json")
    yi, sei = [0.1, 0.5, -0.2], [0.2, 0.3, 0.25]
    stated = fit(yi=yi, sei=sei, measure="RR", priors={"tau2": "LogNormal(-2, 1.6)"})
    for key in ("tau", "tau2"):
        post = fit(yi=yi, sei=sei, measure="RR", priors={key: f"corpus:{file}"})
        assert post.quantile("tau", 0.9) == pytest.approx(stated.quantile("tau", 0.9), rel=1e-7)
        assert post.log_marginal_likelihood == pytest.approx(stated.log_marginal_likelihood, abs=1e-8)
    assert 'prior.json", "RR") = LogNormal(-1, 0.8)' in post.priors.to_dict()["tau"]


def test_the_command_prints_and_writes(tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(command)
    collection(tmp_path, "RR")
    prior = tmp_path / "mine.json"
    done = CliRunner().invoke(app, [str(tmp_path), "--out", str(tmp_path / "out"), "--prior-out", str(prior)])
    assert done.exit_code == 0, done.output
    assert "Intervals that exclude no effect" in done.output
    assert json.loads(prior.read_text(encoding="utf-8"))["priors"]["RR"]["analyses"] == 12
    assert (tmp_path / "out" / "prior.md").is_file()
    assert (tmp_path / "out" / "corpus.svg").is_file()
    refused = CliRunner().invoke(app, [str(tmp_path / "nowhere")])
    assert isinstance(refused.exception, DataError)
