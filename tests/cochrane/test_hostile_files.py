"""Malformed and hostile files: a clear error each, or rows left out with a reason; never a crash, never a file outside."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import random
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from paths import FIXTURES_FOLDER

from bayesmeta.cochrane.entries import entries
from bayesmeta.cochrane.read import is_cochrane, read_cochrane
from bayesmeta.cochrane.reproduce import reproduce_pooled, reproduce_studies
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.reviews.import_cochrane import import_review
from bayesmeta.reviews.spec import read_review
from bayesmeta.studies.read import read_studies

FIXTURES = FIXTURES_FOLDER / "cochrane"
RM5 = (FIXTURES / "small.rm5").read_bytes()
CSV = (FIXTURES / "small.csv").read_bytes()
ZIP = (FIXTURES / "small.zip").read_bytes()

Case = tuple[str, str, bytes]


def _package_files() -> dict[str, str]:
    outer = zipfile.ZipFile(io.BytesIO(ZIP))
    inner = zipfile.ZipFile(io.BytesIO(outer.read(outer.namelist()[0])))
    return {name: inner.read(name).decode("utf-8-sig") for name in inner.namelist()}


FILES = _package_files()
ROWS = next(name for name in FILES if name.endswith("-data-rows.csv"))
SETTINGS = next(name for name in FILES if name.endswith("-settings.csv"))


def archive(files: dict[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as made:
        for name, content in files.items():
            made.writestr(zipfile.ZipInfo(name), content, compress_type=method)
    return stream.getvalue()


def edited(name: str, edit) -> bytes:
    """The package with the rows of one table changed in place."""
    table = list(csv.reader(io.StringIO(FILES[name], newline="")))
    edit(table)
    stream = io.StringIO()
    csv.writer(stream).writerows(table)
    return archive(FILES | {name: stream.getvalue()})


def export(edit) -> bytes:
    table = list(csv.reader(io.StringIO(CSV.decode("utf-8-sig"), newline="")))
    edit(table)
    stream = io.StringIO()
    csv.writer(stream).writerows(table)
    return stream.getvalue().encode()


def set_cell(column: str, value: str, row: int = 1):
    def edit(table):
        table[row][table[0].index(column)] = value

    return edit


def drop_column(column: str):
    def edit(table):
        at = table[0].index(column)
        for line in table:
            del line[at]

    return edit


def swap_columns(one: str, other: str):
    def edit(table):
        a, b = table[0].index(one), table[0].index(other)
        table[0][a], table[0][b] = table[0][b], table[0][a]

    return edit


def rm5(old: str, new: str, count: int = 1) -> bytes:
    text = RM5.decode("iso-8859-1")
    assert old in text
    return text.replace(old, new, count).encode("iso-8859-1", "xmlcharrefreplace")


def refused() -> Iterator[Case]:
    """Files nobody can use: each must be refused."""
    for i in range(30):
        yield f"rm5 cut at {i}/30", "a.rm5", RM5[: 1 + len(RM5.rstrip()) * i // 30]
        yield f"zip cut at {i}/30", "a.zip", ZIP[: len(ZIP) * i // 30]
    yield from xml_attacks()
    yield from zip_attacks()
    for column in ("Analysis group", "Analysis number", "Study", "Weight", "Mean", "CI start", "CI end"):
        yield f"package rows without {column}", "a.zip", edited(ROWS, drop_column(column))
    for column in ("Analysis group", "Analysis number", "Data type", "Effect measure", "Analysis model"):
        yield f"package settings without {column}", "a.zip", edited(SETTINGS, drop_column(column))
    for column in ("Comparison Number", "Outcome Number", "Subgroup Number", "Name", "Data Type"):
        yield f"export without {column}", "a.csv", export(drop_column(column))
    numbers = (
        "GIV Mean", "GIV SE", "Experimental mean", "Experimental SD", "Experimental cases", "Experimental N",
        "Control mean", "Control SD", "Control cases", "Control N", "O-E", "Variance",
    )  # fmt: skip
    for column in numbers:
        for value in ("twelve", "12 (3)"):
            yield f"{column} = {value}", "a.zip", edited(ROWS, set_cell(column, value))
    for column in ("Weight", "Mean", "CI start", "CI end"):
        for value in ("twelve", "0x1F"):
            yield f"{column} = {value}", "a.zip", edited(ROWS, set_cell(column, value))
    for column in (
        "Events 1",
        "Total 1",
        "Mean 1",
        "SD 1",
        "O-E",
        "Var",
        "Effect Estimate",
        "CI Start",
        "User defined order",
    ):
        for value in ("twelve",):
            yield f"export: {column} = {value}", "a.csv", export(set_cell(column, value, row=4))
    for column, value in (
        ("Comparison Number", "one"), ("Comparison Number", ""), ("Outcome Number", "-1"), ("Outcome Number", "1.5"),
        ("Data Type", "Wibble"), ("Study Confidence Interval", "500"), ("Total Confidence Interval", "wide"),
    ):  # fmt: skip
        yield f"export: {column} = '{value}'", "a.csv", export(set_cell(column, value, row=2))
    for column, value in (
        ("Analysis group", ""), ("Analysis number", "x"), ("Analysis number", "0"), ("Data type", "Wibble"),
        ("Study CI", "500%"), ("Estimate CI", "wide"), ("Analysis number", "9999999999"),
    ):  # fmt: skip
        yield f"settings: {column} = '{value}'", "a.zip", edited(SETTINGS, set_cell(column, value))
    yield "rows: no study name", "a.zip", edited(ROWS, set_cell("Study", ""))
    yield "export: no study name", "a.csv", export(set_cell("Name", "", row=4))
    yield "rows of an analysis without settings", "a.zip", edited(ROWS, set_cell("Analysis number", "77"))
    yield "study names and results swapped", "a.zip", edited(ROWS, swap_columns("Study", "Mean"))
    yield "export: names and totals swapped", "a.csv", export(swap_columns("Name", "Total 1"))
    yield "settings twice", "a.zip", edited(SETTINGS, lambda table: table.append(table[1]))
    yield "settings only a header", "a.zip", edited(SETTINGS, lambda table: table.__delitem__(slice(1, None)))
    yield "rows only a header", "a.zip", edited(ROWS, lambda table: table.__delitem__(slice(1, None)))
    yield "export only a header", "a.csv", export(lambda table: table.__delitem__(slice(1, None)))
    yield "export without headings", "a.csv", export(lambda table: table.__delitem__(slice(1, 4)))
    yield "export: outcome twice", "a.csv", export(lambda table: table.append(table[2]))
    yield "export: comparison twice", "a.csv", export(lambda table: table.append(table[1]))
    yield "export: row too long", "a.csv", export(lambda table: table[4].append("surplus"))
    yield "export: a mark that never closes", "a.csv", CSV + b'1,1,0,"never closed\n1,1,0,x'
    yield "a column twice", "a.zip", edited(ROWS, lambda table: table[0].__setitem__(3, "Study"))
    for seed in range(10):
        yield f"noise {seed}", "a.zip", random.Random(seed).randbytes(500)
        yield f"noise after PK {seed}", "a.zip", b"PK\x03\x04" + random.Random(seed).randbytes(500)
    yield from odd_files()


def xml_attacks() -> Iterator[Case]:
    root = "<COCHRANE_REVIEW>{}</COCHRANE_REVIEW>"
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 12))
    doctypes = {
        "billion laughs": f'<!DOCTYPE r [<!ENTITY l0 "ha">{laughs}]>' + root.format("&l11;"),
        "quadratic blow-up": f'<!DOCTYPE r [<!ENTITY a "{"x" * 50_000}">]>' + root.format("&a;" * 50_000),
        "external entity": '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]>' + root.format("&x;"),
        "entity from the network": '<!DOCTYPE r [<!ENTITY x SYSTEM "http://127.0.0.1:9/x">]>' + root.format("&x;"),
        "parameter entity": '<!DOCTYPE r [<!ENTITY % x SYSTEM "file:///etc/hostname"> %x;]>' + root.format(""),
        "external document type": '<!DOCTYPE r SYSTEM "http://127.0.0.1:9/x.dtd">' + root.format(""),
        "document type alone": "<!DOCTYPE COCHRANE_REVIEW>" + root.format(""),
        "entity in an attribute": '<!DOCTYPE r [<!ENTITY x "1">]><COCHRANE_REVIEW ID="&x;"/>',
        "default attributes": '<!DOCTYPE r [<!ATTLIST COCHRANE_REVIEW ID CDATA "1">]>' + root.format(""),
    }
    for name, text in doctypes.items():
        yield name, "a.rm5", text.encode()
        yield f"{name}, after a declaration", "a.rm5", b'<?xml version="1.0"?>\n' + text.encode()
    yield "document type in UTF-16", "a.rm5", ("\ufeff" + doctypes["external entity"]).encode("utf-16-le")
    yield "an entity nobody declared", "a.rm5", root.format("&nope;").encode()
    yield "nested 101 deep", "a.rm5", root.format("<A>" * 101 + "</A>" * 101).encode()
    yield "nested 200000 deep", "a.rm5", b"<A>" * 200_000
    yield "another document", "a.rm5", b"<html><body>Not found</body></html>"
    yield "a root alone", "a.rm5", b"<COCHRANE_REVIEW/>"
    yield "no analyses", "a.rm5", root.format("<ANALYSES_AND_DATA/>").encode()
    yield "an encoding nobody knows", "a.rm5", rm5("ISO-8859-1", "x-klingon")
    yield "an encoding of several bytes", "a.rm5", rm5("ISO-8859-1", "utf-32")
    yield "declared as UTF-16 but is not", "a.rm5", rm5("ISO-8859-1", "UTF-16")
    yield "UTF-16 without its mark", "a.rm5", RM5.decode("iso-8859-1").encode("utf-16-le")[:-1]
    yield "EBCDIC", "a.rm5", RM5.decode("iso-8859-1").encode("cp500")
    yield "NUL inside", "a.rm5", RM5[:3000] + b"\x00" + RM5[3000:]
    yield "two roots", "a.rm5", RM5 + b"<COCHRANE_REVIEW/>"
    yield "an attribute twice", "a.rm5", rm5('NO="1"', 'NO="1" NO="2"')
    twice = '<STUDY ID="STD-Abel" NAME="x"/>' * 2
    yield "two studies of one ID", "a.rm5", rm5("<EXCLUDED_STUDIES>", f"<EXCLUDED_STUDIES>{twice}")
    yield "an analysis twice", "a.rm5", rm5('NO="2"', 'NO="1"', 2)
    yield "a comparison without a number", "a.rm5", rm5('<COMPARISON ID="CMP-001" NO="1">', '<COMPARISON ID="CMP-001">')
    yield "a comparison twice", "a.rm5", rm5('<COMPARISON ID="CMP-002" NO="2">', '<COMPARISON ID="CMP-001" NO="1">')
    yield "an analysis without a number", "a.rm5", rm5('METHOD="MH" NO="1"', 'METHOD="MH"')
    for attribute in ("EVENTS_1", "TOTAL_2", "EFFECT_SIZE", "CI_END", "CI_STUDY", "ORDER", "WEIGHT", "CHI2"):
        yield f"rm5: text in {attribute}", "a.rm5", rm5(f' {attribute}="', f' {attribute}="x')
    yield (
        "export: an order that is no number of an order",
        "a.csv",
        export(set_cell("User defined order", "1e999", row=4)),
    )


def zip_attacks() -> Iterator[Case]:
    big = b"\x00" * (70 * 2**20)
    yield "a member of 70 MB", "a.zip", archive(FILES | {ROWS: big})
    yield "a member of high ratio", "a.zip", archive(FILES | {ROWS: b"," * (4 * 2**20)})
    yield "a bomb in the inner archive", "a.zip", archive({"x-data.zip": archive(FILES | {ROWS: big})})
    yield "an inner archive that is none", "a.zip", archive({"x-data.zip": b"PK\x05\x06 no archive"})
    nested = archive(FILES)
    for _ in range(5):
        nested = archive({"x-data.zip": nested})
    yield "archives in archives in archives", "a.zip", nested
    yield "3000 members", "a.zip", archive({f"{i}.txt": "" for i in range(3000)}, zipfile.ZIP_STORED)
    yield "no data rows", "a.zip", archive({"readme.txt": "x"})
    yield "an empty archive", "a.zip", archive({})
    yield "two reviews", "a.zip", archive(FILES | {"y-analysis-data/y-data-rows.csv": FILES[ROWS]})
    yield "no settings", "a.zip", archive({name: text for name, text in FILES.items() if name != SETTINGS})
    yield "a review of diagnostic tests", "a.zip", archive(FILES | {"x/x-parameters.csv": "a,b"})
    for name in (
        "../evil.csv", "../../../../tmp/evil.csv", "/etc/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv",
        "C:/evil.csv", "\\\\host\\share\\evil.csv", "..", "a/..",
    ):  # fmt: skip
        yield f"a member called {name}", "a.zip", archive(FILES | {name: "x"})
        yield f"an inner member called {name}", "a.zip", archive({"x-data.zip": archive(FILES | {name: "x"})})
    whole = archive(FILES, zipfile.ZIP_STORED)
    at = whole.rindex(b"PK\x01\x02")
    first = whole.index(b"PK\x01\x02")
    yield "an encrypted member", "a.zip", whole[: first + 8] + b"\x01" + whole[first + 9 :]
    yield "an unknown compression", "a.zip", whole[: first + 10] + b"\x63\x00" + whole[first + 12 :]
    yield "a size that is a lie", "a.zip", whole[: first + 20] + struct.pack("<II", 2**31, 2**31) + whole[first + 28 :]
    yield "a wrong checksum", "a.zip", whole[: first + 16] + b"\x00\x00\x00\x00" + whole[first + 20 :]
    yield "an offset beyond the end", "a.zip", whole[: at + 42] + b"\xff\xff\xff\x7f" + whole[at + 46 :]
    yield "a name with NUL", "a.zip", archive(FILES | {"a.csv": "x"}).replace(b"a.csv", b"..\x00sv")


def odd_files() -> Iterator[Case]:
    yield "empty", "a.csv", b""
    yield "empty rm5", "a.rm5", b""
    yield "blanks", "a.csv", b" \n\n\t \n"
    yield "NULs", "a.csv", b"\x00" * 1000
    yield "a mark alone", "a.csv", b"\xef\xbb\xbf"
    yield "a UTF-16 mark alone", "a.csv", b"\xff\xfe"
    yield "UTF-16 cut in a character", "a.csv", b"\xff\xfe" + CSV.decode("utf-8-sig").encode("utf-16-le")[:301]
    yield "UTF-16 without its mark", "a.csv", CSV.decode("utf-8-sig").encode("utf-16-le")
    yield "UTF-32 mark and rubbish", "a.csv", b"\xff\xfe\x00\x00" + b"\xff" * 99
    yield "EBCDIC", "a.csv", CSV.decode("utf-8-sig").encode("cp500", "replace")
    yield "NUL inside", "a.csv", CSV[:900] + b"\x00" + CSV[900:]
    yield "a cell of 200 kB", "a.csv", export(set_cell("Name", "x" * 200_000, row=4))
    yield "PDF", "a.pdf", b"%PDF-1.4\n%\xd3\xeb\n1 0 obj"
    yield "an old Excel file", "a.xls", b"\xd0\xcf\x11\xe0" + b"\x00" * 500
    yield "an Excel workbook", "a.xlsx", archive({"xl/workbook.xml": "<x/>", "[Content_Types].xml": "<x/>"})
    yield "JSON", "a.json", b'{"comparisons": []}'
    yield "gzip", "a.gz", b"\x1f\x8b\x08" + b"\x00" * 99
    yield "prose", "a.txt", b"The quick brown fox, who was not a table.\nAnother line.\n"
    yield "a study table", "a.csv", b"study,events_e,n_e,events_c,n_c\nA,1,10,2,10\n"


def impossible() -> Iterator[tuple[str, bytes, str]]:
    """Files with rows nobody can pool: read, the row left out, and why."""
    yield "events above totals", edited(ROWS, set_cell("Experimental cases", "84")), "84 events among 50 participants"
    yield "negative events", edited(ROWS, set_cell("Experimental cases", "-3")), "-3 events"
    yield (
        "half an event",
        edited(ROWS, set_cell("Control cases", "2.5")),
        "2.5 events in the control arm is not a count",
    )
    yield "no participants", edited(ROWS, set_cell("Control N", "0")), "no participants in the control arm"
    yield "negative participants", edited(ROWS, set_cell("Control N", "-8")), "no participants in the control arm"
    yield "counts are blank", edited(ROWS, set_cell("Control cases", "")), "no events given in the control arm"
    yield (
        "events and totals swapped",
        edited(ROWS, swap_columns("Experimental cases", "Experimental N")),
        "events among",
    )
    row = 1 + [line.split(",")[:2] for line in FILES[ROWS].splitlines()[1:]].index(["1", "3"])
    yield (
        "a negative SD",
        edited(ROWS, set_cell("Experimental SD", "-5", row)),
        "standard deviation of the experimental arm is -5",
    )
    yield "means and SDs swapped, a mean of 0", edited(ROWS, set_cell("Control SD", "0", row)), "standard deviation"
    row = 1 + [line.split(",")[:2] for line in FILES[ROWS].splitlines()[1:]].index(["2", "1"])
    yield "a negative standard error", edited(ROWS, set_cell("GIV SE", "-0.2", row)), "standard error is -0.2"
    row = 1 + [line.split(",")[:2] for line in FILES[ROWS].splitlines()[1:]].index(["2", "2"])
    yield "a negative variance", edited(ROWS, set_cell("Variance", "-4", row)), "variance of O-E is -4"
    yield "rm5: events above totals", rm5('EVENTS_1="12" EVENTS_2="20"', 'EVENTS_1="912" EVENTS_2="20"'), "912 events"
    yield "rm5: a negative SD", rm5('SD_1="5.0"', 'SD_1="-5.0"'), "standard deviation of the experimental arm is -5"
    yield "export: events above totals", export(set_cell("Events 1", "77", row=4)), "77 events among 50"
    for value in ("1e999", "inf", "nan", "1.1e157"):
        yield f"a count of {value}", edited(ROWS, set_cell("Control N", value)), "not finite or too large to be right"
    for attribute in ("EVENTS_1", "TOTAL_2"):
        wild = rm5(f' {attribute}="', f' {attribute}="1e99', count=999)
        yield f"rm5: infinite {attribute} everywhere", wild, "not finite or too large to be right"
    yield "huge counts", edited(ROWS, set_cell("Control cases", "99999999999")), "99999999999 events"
    yield (
        "counts beyond all people",
        edited(ROWS, set_cell("Control N", "999999999999999")),
        "a value of 1e+15 cannot be",
    )


def either() -> Iterator[Case]:
    """Files that may or may not be usable: whatever happens, no crash."""
    for seed in range(7):
        noise = random.Random(seed)
        for name, data in (("a.rm5", RM5), ("a.csv", CSV), ("a.zip", ZIP)):
            changed = bytearray(data)
            for _ in range(noise.choice([1, 3, 20])):
                changed[noise.randrange(len(changed))] = noise.randrange(256)
            yield f"{name} with bytes changed, {seed}", name, bytes(changed)
    for i in range(1, 12):
        yield f"export cut at {i}/12", "a.csv", CSV[: len(CSV) * i // 12]
    for value in ("1e15", "1e-300", "-1e9"):
        for column in ("Experimental mean", "Control SD", "GIV Mean", "GIV SE", "O-E", "Variance", "Mean", "CI start"):
            yield f"{column} = {value} everywhere", "a.zip", edited(
                ROWS, lambda table, column=column, value=value: [
                    line.__setitem__(table[0].index(column), value) for line in table[1:]
                ],
            )  # fmt: skip
    for column in ("Statistical method", "Effect measure", "Analysis model", "Log-scale data", "Overall estimates"):
        for value in ("", "Wibble", "\u202e../x"):
            yield f"{column} = {value[:9]!r}", "a.zip", edited(
                SETTINGS, lambda table, column=column, value=value: [
                    line.__setitem__(table[0].index(column), value) for line in table[1:]
                ],
            )  # fmt: skip
    for value in (
        "../../etc/passwd",
        "=cmd|' /C calc'!A0",
        "\u202eevil",
        "a\tb",
        "Total",
        "NA",
        "x" * 3000,
        "'",
        '"',
        "é" * 80,
    ):
        yield f"a study called {value[:12]!r}", "a.zip", edited(ROWS, set_cell("Study", value))
        yield f"an analysis called {value[:12]!r}", "a.zip", edited(SETTINGS, set_cell("Analysis name", value))
    yield "a review number that climbs", "a.rm5", rm5('REVIEW_NO="XY01"', 'REVIEW_NO="../../../evil"')
    yield "a title that is TOML", "a.rm5", rm5("Coaching and surgery", '"\n[[analysis]]\nid = "')


REFUSED, IMPOSSIBLE, EITHER = list(refused()), list(impossible()), list(either())


def tree(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in sorted(folder.rglob("*"))}


def used(path: Path, out: Path) -> None:
    """Do with a file all that a user can do with it."""
    review, file = import_review(path, out)
    spec, folder = read_review(file)
    for analysis in spec.analysis:
        table = read_studies(folder / analysis.data, where=analysis.where)
        found = effect_sizes(table, analysis.measure, **spec.options.model_dump())
        assert found.k or all(found.reasons)
    reproduce_pooled(review)
    reproduce_studies(review)


def test_there_are_enough() -> None:
    names = [name + file for name, file, _ in (*REFUSED, *EITHER)]
    assert len(names) == len(set(names))
    assert len(REFUSED) >= 200


@pytest.fixture
def place(tmp_path):
    """A folder for the file, one for the output beside it, and something around them that must not change."""
    (tmp_path / "in").mkdir()
    (tmp_path / "precious.csv").write_text("mine")
    return tmp_path


def test_hostile_files_are_refused_and_nothing_is_written(place) -> None:
    for name, file, data in REFUSED:
        path = place / "in" / file
        path.write_bytes(data)
        before = tree(place)
        with pytest.raises(BayesmetaError) as caught:
            import_review(path, place / "out")
        message = str(caught.value)
        assert file in message, f"{name}: {message}"
        assert len(message) < 1500, name
        assert tree(place) == before, name
        is_cochrane(path)
        path.unlink()


def test_impossible_rows_are_left_out_with_a_reason(place) -> None:
    for at, (name, data, expected) in enumerate(IMPOSSIBLE):
        path = place / "in" / f"{at}.bin"
        path.write_bytes(data)
        review = read_cochrane(path)
        reasons = [reason for entry in entries(review) for reason in entry.reasons]
        assert any(expected in reason for reason in reasons), f"{name}: {sorted(set(reasons))}"
        used(path, place / f"out{at}")


def test_damaged_files_never_crash(place) -> None:
    for at, (name, file, data) in enumerate(EITHER):
        path = place / "in" / file
        path.write_bytes(data)
        before = tree(place)
        out = place / f"out{at}"
        with contextlib.suppress(BayesmetaError):  # a refusal is as good as a result
            used(path, out)
        after = {place_of: when for place_of, when in tree(place).items() if place_of.split(os.sep)[0] != out.name}
        assert after == before, name


def test_places_that_are_no_files(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for path in (tmp_path, tmp_path / "absent.zip", tmp_path / "pipe", tmp_path / "loop", "nul\x00inside", "x" * 5000):
        with pytest.raises(BayesmetaError):
            read_cochrane(path)
        assert not is_cochrane(tmp_path / "absent.zip")


def test_a_file_where_the_output_folder_should_be(tmp_path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(DataError):
        import_review(FIXTURES / "small.rm5", tmp_path / "out")
    assert (tmp_path / "out").read_text() == "a file"
