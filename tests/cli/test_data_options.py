"""What a user says about the data on the command line, and what the commands say about the data."""

import pytest

MEANS = (
    "study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nA,10,0.57,50,12,4.1,50\nB,11,4.4,60,12.6,4.2,61\nC,9.5,3.8,40,11.9,4,41\n"
)
REVIEW = """
id = "small"
title = "Small"
[settings]
engine = "quadrature"
[[analysis]]
id = "1.1"
outcome = "Deaths"
measure = "RR"
data = "good.csv"
[[analysis]]
id = "1.2"
outcome = "Pain"
measure = "RR"
data = "bad.csv"
"""


@pytest.mark.parametrize("arguments", [("fit",), ("compare",), ("check", "--what", "influence")])
def test_doubtful_numbers_are_named_by_every_command(command, tmp_path, arguments):
    (tmp_path / "means.csv").write_text(MEANS)
    code, _, err = command(*arguments, tmp_path / "means.csv", "--measure", "MD")
    assert code == 0
    assert "A: sd_e = 0.57, but the SD of the other arm is 4.1: is it a standard error?" in err


@pytest.mark.parametrize("arguments", [("fit",), ("compare",), ("check", "--what", "influence")])
def test_columns_and_exclude(command, tmp_path, arguments):
    table = tmp_path / "named.csv"
    table.write_text("study,dead,n_e,dead in control,n_c\nA,3,20,6,21\nB=2,5,40,9,41\nC,7,50,9,52\nD,1,50,3,52\n")
    named = ("--columns", "dead=events_e", "--columns", "dead in control=events_c")
    code, _, err = command(*arguments, table, *named, "--exclude", "A", "--exclude", "C=a duplicate")
    assert code == 0
    assert "A: excluded on the command line" in err
    assert "C: a duplicate" in err


def test_messages_of_a_table_name_options(refused, tmp_path):
    table = tmp_path / "named.csv"
    table.write_text("study,dead,n_e,alive,n_c\nA,3,20,6,21\n")
    message = refused("fit", table)
    assert "--columns " in message
    assert "columns={" not in message
    assert "'Z'" in refused("fit", table, "--columns", "dead=events_e", "--columns", "alive=events_c", "--exclude", "Z")


def test_ratios_need_no_option(command, tmp_path):
    table = tmp_path / "hr.csv"
    table.write_text("study,HR,LCI,UCI\nA,1.78,0.84,3.76\nB,1.20,0.37,3.93\n")
    code, out, _ = command("fit", table)
    assert code == 0
    assert out.startswith("HR, 2 studies")


def test_a_spreadsheet_is_no_review(refused, tmp_path):
    book = tmp_path / "trials.xlsx"
    book.write_bytes(b"PK\x03\x04\xff\xfe\x00")
    message = refused("run", book)
    assert "codec" not in message
    assert "bayesmeta compare" in message


def test_a_dry_run_reads_the_data(command, tmp_path):
    (tmp_path / "review.toml").write_text(REVIEW)
    (tmp_path / "good.csv").write_text("study,events_e,n_e,events_c,n_c\nA,3,20,6,21\n")
    (tmp_path / "bad.csv").write_text("study,events_e,n_e,events_c,n_c\nA,3,20,66,21\n")
    out_folder = tmp_path / "out"
    for given in ([tmp_path / "review.toml"], [tmp_path / "review.toml", tmp_path / "review.toml"]):
        code, out, err = command("run", *given, "--dry-run", "--out", out_folder)
        assert code == 1
        assert "1.1 Deaths: would run: new" in out
        assert "the data of 1 analysis cannot be used" in out
        assert "1.2 Pain: cannot be run: " in err
        assert "66" in err
        assert not out_folder.exists()
