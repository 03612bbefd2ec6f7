"""`bayesmeta tables`, `figures` and `report` write the outputs of a finished run again."""

import shutil
from pathlib import Path

import pytest

import bayesmeta as bm
from bayesmeta.reviews.settings import Settings


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_source):
    """A finished run of the small review, one of whose analyses fails."""
    out = tmp_path_factory.mktemp("cli") / "out"
    bm.run_review(small_source, out)
    return out


@pytest.fixture(scope="module")
def with_documents(tmp_path_factory, whole_source):
    """A finished run of the small review with its documents."""
    return bm.run_review(whole_source, tmp_path_factory.mktemp("documents") / "out").out


def test_tables_figures_and_report_of_a_finished_run(command, refused, finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = tree(out)
    shutil.rmtree(out / "tables")
    code, printed, _ = command("tables", out)
    assert code == 0
    assert str(out / "tables" / "main.csv") in printed.splitlines()
    assert tree(out) == before
    (out / "figures" / "forest_1.1.svg").unlink()
    code, printed, _ = command("figures", out, "--only", "1.1")
    assert code == 0
    assert {Path(line).name for line in printed.splitlines()} == {
        "forest_1.1.svg",
        "tau_1.1.svg",
    }
    assert tree(out) == before
    assert "no analysis '7'" in refused("figures", out, "--only", "7")
    code, printed, _ = command("figures", out, "--only", "1.1", "--layout", "jama")
    assert code == 0
    assert ">Source</text>" in (out / "figures" / "forest_1.1.svg").read_text("utf-8")
    code, printed, _ = command("figures", out, "--only", "1.1")
    assert tree(out) == before
    code, printed, _ = command("report", out)
    assert code == 0
    page = Path(printed.strip()).read_text()
    for part in ("A small review", "Made-up numbers, to test with.", "<svg", "Mantel-Haenszel"):
        assert part in page


def test_figures_in_other_formats_than_the_run(command, refused, with_documents, whole_source, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(with_documents, out)
    before = set(tree(out))
    # the documents show the forest plots, as PNG; the other figures are SVG only
    figures = {name for name in before if name.startswith("figures/")}
    assert {name for name in figures if name.endswith(".png")} == {
        f"figures/forest_{name}.png" for name in ("1.1", "1.2")
    }
    code, printed, _ = command("figures", out, "--formats", "png, pdf")
    assert code == 0
    stems = {name.removesuffix(".svg") for name in figures if name.endswith(".svg")}
    written = {f"{stem}.{form}" for stem in stems for form in ("png", "pdf")}
    assert {str(Path(line).relative_to(out)) for line in printed.splitlines()} == written
    assert set(tree(out)) == before | written
    assert "unknown figure format 'jpeg'" in refused("figures", out, "--formats", "png,jpeg")
    assert "no format is named" in refused("figures", out, "--formats", ",")
    # with another result, the figures of the former one are gone in every format
    source = tmp_path / "source"
    shutil.copytree(whole_source.parent, source)
    text = (source / "review.toml").read_text(encoding="utf-8")
    (source / "review.toml").write_text(text.replace("[settings]", "[settings]\nlevel = 0.9", 1), encoding="utf-8")
    bm.run_review(source / "review.toml", out)
    assert set(tree(out)) == before


def test_only_a_manuscript_makes_png_of_the_figures_that_it_shows():
    settings = Settings()
    assert settings.figure_formats("forest_1.1") == ("svg", "png")
    assert settings.figure_formats("traffic_light") == ("svg", "png")
    assert settings.figure_formats("tau_1.1") == ("svg",)
    assert Settings(documents=("workbook",)).figure_formats("forest_1.1") == ("svg",)
    assert Settings(figures=("png", "pdf")).figure_formats("forest_1.1") == ("png", "pdf")
    assert Settings(figures=()).figure_formats("forest_1.1") == ()


@pytest.mark.parametrize("name", ["tables", "figures", "report", "document"])
def test_a_result_that_was_changed_after_the_run_is_one_message(refused, finished, tmp_path, name):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    path = out / "analyses" / "1.1.json"
    path.write_text(path.read_text().replace('"rows"', '"rows" ', 1))
    message = refused(name, out)
    assert str(path) in message
    assert "damaged or changed after the run" in message
    assert "run the review again" in message
