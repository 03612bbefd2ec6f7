"""Reading of review.toml: valid ones, and many kinds of invalid ones."""

from __future__ import annotations

import pytest

from bayesmeta.errors import SpecError
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.spec import read_review

GOOD = """
id = "small"
title = "A small review"

[settings]
engine = "quadrature"

[options]
smd = "revman"

[priors.RR]
tau = "HalfNormal(0.5)"

[mid]
RR = 0.8

[[alternative]]
name = "Wide"
measure = "RR"
tau = "HalfCauchy(1)"

[[analysis]]
id = "1.1"
outcome = "Death"
measure = "RR"
data = "death.csv"
published = { estimate = 0.7, ci_low = 0.5, ci_high = 1.0 }

[[analysis]]
id = "1.2"
outcome = "Pain"
measure = "SMD"
data = "pain.csv"
"""
#: the data files of the review, so that nothing else is wrong
DATA = {
    "death.csv": "study,events_e,n_e,events_c,n_c\nA,1,9,2,9\n",
    "pain.csv": "study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nA,1,1,9,2,1,9\n",
}


TAU = 'tau = "HalfNormal(0.5)"'


def changed(old, new):
    assert GOOD.count(old) == 1, old
    return GOOD.replace(old, new).encode()


#: (id, the file's bytes, what the message must contain). The command line is tested with the same files.
BAD_REVIEWS: list[tuple[str, bytes, tuple[str, ...]]] = [
    # The file itself.
    ("empty", b"", ("'id' is missing", "'title' is missing")),
    ("not_toml", b"id = pip\n", ("not valid TOML", "line 1")),
    ("a_csv", b"study,yi,sei\nA,1,2\n", ("not valid TOML",)),
    ("twice_one_key", changed('id = "small"', 'id = "small"\nid = "large"'), ("not valid TOML",)),
    ("not_utf8", GOOD.replace("A small review", "Müller").encode("latin-1"), ("UTF-8",)),
    ("utf16", GOOD.encode("utf-16"), ("UTF-8",)),
    ("nul", b"id = \"a\x00b\"\n", ("not valid TOML",)),
    # Unknown keys, at every level.
    ("unknown_at_the_top", b'titel = "x"\n' + GOOD.encode(), ("unknown key 'titel'", "did you mean 'title'?")),
    ("unknown_table", GOOD.encode() + b"[seting]\nseed = 1\n", ("unknown key 'seting'", "did you mean 'settings'?")),
    ("unknown_setting", changed('engine = "quadrature"', 'engin = "quadrature"'), ("[settings]", "did you mean 'engine'?")),
    ("unknown_option", changed('smd = "revman"', 'zero_cell = "revman"'), ("[options]", "did you mean 'zero_cells'?")),
    ("unknown_prior", changed(TAU, 'tao = "HalfNormal(0.5)"'), ("[priors]", "RR", "did you mean 'tau'?")),
    ("unknown_in_alternative", changed('name = "Wide"', 'name = "Wide"\ncomparisn = "x"'), ("Wide", "did you mean 'comparison'?")),
    ("unknown_in_analysis", changed('outcome = "Pain"', 'outcome = "Pain"\nbeter = "lower"'), ("analysis 1.2", "did you mean 'better'?")),
    ("unknown_in_published", changed("estimate = 0.7,", "estimate = 0.7, ci_lo = 0.5,"),
     ("analysis 1.1", "[published]", "did you mean 'ci_low'?")),
    # Missing keys.
    ("no_id", changed('id = "small"', ""), ("'id' is missing",)),
    ("no_title", changed('title = "A small review"', ""), ("'title' is missing",)),
    ("no_analyses", GOOD.split("[[analysis]]")[0].encode(), ("'analysis' is missing",)),
    ("no_analysis_in_the_list", b"analysis = []\n" + GOOD.split("[[analysis]]")[0].encode(), ("analysis", "at least one")),
    ("no_outcome", changed('outcome = "Pain"', ""), ("analysis 1.2", "'outcome' is missing")),
    ("no_measure", changed('measure = "SMD"', ""), ("analysis 1.2", "'measure' is missing")),
    ("no_data", changed('data = "pain.csv"', ""), ("analysis 1.2", "'data' is missing")),
    ("no_analysis_id", changed('id = "1.2"', ""), ("analysis number 2", "'id' is missing")),
    ("half_published", changed(", ci_high = 1.0", ""), ("analysis 1.1", "[published]", "'ci_high' is missing")),
    ("alternative_without_name", changed('name = "Wide"', ""), ("alternative number 1", "'name' is missing")),
    # Values of the wrong kind.
    ("title_a_number", changed('title = "A small review"', "title = 3"), ("'title' = 3", "text")),
    ("settings_a_word", changed('[settings]\nengine = "quadrature"', 'settings = "all"'), ("'settings' = 'all'",)),
    ("analysis_a_table", GOOD.split("[[analysis]]")[0].encode() + b'[analysis]\nid = "1"\n', ("analysis",)),
    ("analysis_of_words", b'analysis = ["1.1"]\n' + GOOD.split("[[analysis]]")[0].encode(), ("analysis", "'1.1'")),
    ("priors_a_word", b'priors = "wide"\n' + changed('[priors.RR]\ntau = "HalfNormal(0.5)"', ""), ("'priors' = 'wide'",)),
    ("prior_a_number", changed(TAU, "tau = 0.5"), ("[priors]", "'tau' = 0.5", "text")),
    ("id_a_number", changed('id = "1.2"', "id = 1.2"), ("analysis 1.2", "'id' = 1.2", "text")),
    ("groups_a_word", changed('id = "1.2"', 'id = "1.2"\ngroups = "Drug"'), ("analysis 1.2", "'groups' = 'Drug'", "a list such as")),
    ("groups_of_one", changed('id = "1.2"', 'id = "1.2"\ngroups = ["Drug"]'), ("analysis 1.2", "'groups' has too few values")),
    ("groups_of_three", changed('id = "1.2"', 'id = "1.2"\ngroups = ["A", "B", "C"]'), ("'groups' = ", "a shorter list")),
    ("bands_and_mid", changed("RR = 0.8", "RR = 0.8\n[bands.RR]\ntrivial = 0.9"), ("[mid] and [bands.RR] both", "keep [bands.RR]")),
    ("bands_without_trivial", changed("[mid]\nRR = 0.8", "[bands.RR]\nsmall = 0.8"), ("[bands]", "[RR]", "'trivial' is missing")),
    ("unknown_band", changed("[mid]\nRR = 0.8", "[bands.RR]\ntrivial = 0.9\nlarge = 0.5"), ("[bands] [RR]", "unknown key 'large'")),
    ("bands_not_in_order", changed("[mid]\nRR = 0.8", "[bands.RR]\ntrivial = 0.8\nsmall = 0.9"),
     ("[bands.RR]", "'small' = 0.9 must be further from no effect than 'trivial' = 0.8")),
    ("bands_with_a_gap", changed("[mid]\nRR = 0.8", "[bands.RR]\ntrivial = 0.9\nmoderate = 0.6"), ("'moderate' but not 'small'",)),
    ("bands_of_no_measure", changed("[mid]\nRR = 0.8", "[bands.RRR]\ntrivial = 0.9"), ("unknown measure 'RRR'", "did you mean 'RR'?")),
    ("bands_without_a_side", changed('outcome = "Pain"', 'outcome = "Pain"\nbands = { trivial = 0.2 }'),
     ("analysis 1.2", "side of benefit")),
    ("bands_and_mid_of_one_analysis",
     changed('outcome = "Pain"', 'outcome = "Pain"\nbetter = "lower"\nmid = 0.2\nbands = { trivial = 0.2 }'),
     ("analysis 1.2", "either mid or bands")),
    ("bands_a_number", changed("[mid]\nRR = 0.8", "[bands]\nRR = 0.8"), ("[bands]", "'RR' = 0.8")),
    ("mid_a_word", changed("RR = 0.8", 'RR = "small"'), ("[mid]", "'RR' = 'small'", "number")),
    ("published_a_word", changed("estimate = 0.7", 'estimate = "0.70*"'), ("analysis 1.1", "[published]", "'0.70*'")),
    ("where_a_list", changed('data = "pain.csv"', 'data = "pain.csv"\nwhere = ["1.1"]'), ("analysis 1.2", "'where'")),
    ("three_groups", changed('data = "pain.csv"', 'data = "pain.csv"\ngroups = ["a", "b", "c"]'), ("analysis 1.2", "groups")),
    # Values that are not known or out of range.
    ("unknown_engine", changed('engine = "quadrature"', 'engine = "gibbs"'), ("[settings]", "'engine' = 'gibbs'", "'nuts'")),
    ("unknown_likelihood", changed('engine = "quadrature"', 'likelihoods = ["binomial"]'), ("[settings]", "'binomial'", "'arm-level'")),
    ("unknown_format", changed('engine = "quadrature"', 'tables = ["odt"]'), ("[settings]", "'odt'", "Known: csv, md, html, tex")),
    ("level_in_percent", changed('engine = "quadrature"', "level = 95"), ("[settings]", "'level' = 95", "less than 1")),
    ("negative_seed", changed('engine = "quadrature"', "seed = -1"), ("[settings]", "'seed' = -1")),
    ("huge_seed", changed('engine = "quadrature"', f"seed = {2**64}"), ("[settings]", "'seed' = 18446744073709551616")),
    ("fractional_seed", changed('engine = "quadrature"', "seed = 1.5"), ("[settings]", "'seed' = 1.5")),
    ("unknown_measure", changed('measure = "SMD"', 'measure = "SDM"'), ("analysis 1.2", "unknown measure 'SDM'", "did you mean 'SMD'?")),
    ("unknown_measure_of_priors", changed("[priors.RR]", "[priors.RRR]"), ("unknown measure 'RRR'", "did you mean 'RR'?")),
    ("unknown_measure_of_mid", changed("RR = 0.8", "rrr = 0.8"), ("unknown measure 'rrr'",)),
    ("unknown_measure_of_alternative", changed('name = "Wide"\nmeasure = "RR"', 'name = "Wide"\nmeasure = "XX"'),
     ("unknown measure 'XX'",)),
    ("unknown_side", changed('outcome = "Pain"', 'outcome = "Pain"\nbetter = "down"'), ("analysis 1.2", "'better' = 'down'", "'lower'")),
    ("unknown_zero_cells", changed('smd = "revman"', 'zero_cells = "drop"'), ("drop", "revman")),
    ("unknown_smd", changed('smd = "revman"', 'smd = "hedges"'), ("hedges", "revman")),
    ("unreadable_prior", changed(TAU, 'tau = "half normal 0.5"'), ("[priors]", "cannot read the prior", "half normal 0.5")),
    ("unknown_prior_family", changed(TAU, 'tau = "HalfNorml(0.5)"'), ("[priors]", "did you mean 'HalfNormal'?")),
    ("prior_below_zero", changed(TAU, 'tau = "Normal(0, 1)"'), ("[priors]", "[0, infinity)")),
    ("prior_out_of_range", changed(TAU, 'tau = "HalfNormal(-0.5)"'), ("[priors]", "above 0", "-0.5")),
    ("tau_and_tau2", changed(TAU, 'tau = "HalfNormal(0.5)"\ntau2 = "InvGamma(1, 1)"'), ("[priors]", "both tau and tau2")),
    ("unreadable_alternative", changed('tau = "HalfCauchy(1)"', 'tau = "HalfCauchy()"'), ("alternative Wide", "HalfCauchy", "1 numbers")),
    ("published_outside_its_interval", changed("estimate = 0.7", "estimate = 1.7"), ("analysis 1.1", "1.7", "outside", "[0.5, 1]")),
    ("published_interval_swapped", changed("ci_low = 0.5, ci_high = 1.0", "ci_low = 1.0, ci_high = 0.5"),
     ("analysis 1.1", "0.7", "outside")),
    ("published_ratio_on_the_log_scale", changed("estimate = 0.7, ci_low = 0.5", "estimate = -0.36, ci_low = -0.69"),
     ("analysis 1.1", "-0.69", "above 0")),
    ("mid_on_the_side_of_harm", changed('measure = "RR"\ndata', 'measure = "RR"\nbetter = "lower"\nmid = 1.25\ndata'),
     ("analysis 1.1", "1.25", "lower")),
    # Names.
    ("one_id_twice", changed('id = "1.2"', 'id = "1.1"'), ("'1.1' appears twice",)),
    ("one_id_in_two_cases", changed('id = "1.1"', 'id = "a"').replace(b'id = "1.2"', b'id = "A"'), ("'A' appears twice",)),
    ("id_with_a_slash", changed('id = "1.2"', 'id = "1/2"'), ("1/2", "'id'")),
    ("id_going_up", changed('id = "1.2"', 'id = "../../etc"'), ("../../etc", "'id'")),
    ("id_with_a_backslash", changed('id = "1.2"', "id = 'a\\b'"), ("'id'",)),
    ("id_a_hidden_file", changed('id = "1.2"', 'id = ".hidden"'), (".hidden", "'id'")),
    ("id_empty", changed('id = "1.2"', 'id = ""'), ("'id'",)),
    ("id_with_a_line_break", changed('id = "1.2"', 'id = "1.2\\n"'), ("'id'",)),
    ("id_too_long", changed('id = "1.2"', f'id = "{"a" * 61}"'), ("'id'", "60")),
    ("review_id_with_a_slash", changed('id = "small"', 'id = "a/b"'), ("'id' = 'a/b'",)),
    ("data_not_there", changed('data = "pain.csv"', 'data = "pane.csv"'), ("analysis 1.2", "'pane.csv'")),
    ("data_a_folder", changed('data = "pain.csv"', 'data = "."'), ("analysis 1.2", "'.'")),
]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    for name, text in DATA.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("content", "expected"), [case[1:] for case in BAD_REVIEWS], ids=[case[0] for case in BAD_REVIEWS]
)
def test_a_bad_review_is_refused_with_its_place_and_nothing_is_written(folder, content, expected):
    file = folder / "review.toml"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        run_review(file, folder / "out")
    message = str(caught.value)
    assert message.startswith(str(file)), message
    for part in expected:
        assert part in message
    assert "pydantic" not in message
    assert "Traceback" not in message
    assert not (folder / "out").exists()


def test_the_bad_reviews_are_distinct():
    assert len(BAD_REVIEWS) >= 60
    assert len({case[0] for case in BAD_REVIEWS}) == len({case[1] for case in BAD_REVIEWS}) == len(BAD_REVIEWS)


def test_the_review_the_bad_ones_start_from_is_good(folder):
    (folder / "review.toml").write_text(GOOD)
    review, where = read_review(folder)
    assert where == folder
    assert [analysis.id for analysis in review.analysis] == ["1.1", "1.2"]
    assert review.priors["RR"].given() == {"tau": "HalfNormal(0.5)"}
    assert review.settings.likelihoods == ("normal", "arm-level")
    assert review.analysis[0].published.estimate == 0.7


def test_a_review_is_found_by_file_or_folder_and_may_start_with_a_byte_order_mark(folder):
    (folder / "review.toml").write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert read_review(folder)[0] == read_review(str(folder / "review.toml"))[0]
    (folder / "other.toml").write_text(GOOD.replace("A small review", "Another"))
    assert read_review(folder / "other.toml")[0].title == "Another"


def test_windows_line_ends(folder):
    (folder / "review.toml").write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert read_review(folder)[0].title == "A small review"


def test_paths_without_a_review(folder):
    with pytest.raises(
        SpecError, match=r"review\.toml: no such file; give a review\.toml or the folder that contains one"
    ):
        read_review(folder)
    with pytest.raises(SpecError, match="no such file"):
        read_review(folder / "nowhere")
    (folder / "review.toml").mkdir()
    with pytest.raises(SpecError, match="cannot read"):
        read_review(folder)


def test_all_errors_are_listed_at_once(folder):
    (folder / "review.toml").write_bytes(
        changed('measure = "SMD"', 'measure = "SDM"\nbeter = 1').replace(b"seed", b"sead")
    )
    with pytest.raises(SpecError) as caught:
        read_review(folder)
    assert len(str(caught.value).splitlines()) == 2


def test_measures_are_read_in_either_case(folder):
    (folder / "review.toml").write_bytes(changed('measure = "SMD"', 'measure = "smd"'))
    assert read_review(folder)[0].analysis[1].measure == "SMD"
