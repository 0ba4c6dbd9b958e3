"""Other readers of our files: pandas and DuckDB open every CSV and see the types that its columns say.

    readers.py csv FILE...      each table, in both
    readers.py sheet FILE...    each table, opened by a spreadsheet (Gnumeric) and read back from the workbook that it makes
    readers.py junit FILE...    each document, by the schema beside this file and in junitparser

The unit in a column's name says what its cells are: `_us`, `_ms`, `_ns`, `_bytes`, `_rps`, `_share`, `_ratio` and counts are
numbers, `_at` is a moment, the rest is text. Missing is an empty cell. A column in which every cell is empty has no type.
"""

import csv
import pathlib
import sys

TEXT = {
    "run", "profile", "fingerprint", "querylab", "revision", "machine", "figures", "variant", "load", "role", "outcome",
    "failure_kind", "failure_reason", "failures", "cache", "index_scans", "seq_scans", "plan_hash", "notes", "metric",
    "family", "verdict", "verdict_text", "baseline", "claim", "id", "text", "source", "held", "reason", "vs", "component",
    "server", "part", "database", "variants", "index", "name", "sql", "unit", "table", "set", "indexes", "status", "word",
    "adjustment", "index_set", "statement", "kind", "operation", "what", "better",
}
BOOLEAN = {"warmup_reached", "fragile"}


def wanted(column):
    if column.endswith("_at"):
        return "moment"
    if column in BOOLEAN:
        return "boolean"
    return "text" if column in TEXT else "number"


def check_csv(path):
    import duckdb
    import pandas

    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file, strict=True))
    header, rows = rows[0], rows[1:]
    assert all(len(row) == len(header) for row in rows), f"{path}: rows of different length"
    assert len(set(header)) == len(header), f"{path}: a column is there twice"
    raw = open(path, "rb").read()
    assert b"\r" not in raw and raw.endswith(b"\n"), f"{path}: lines do not end with LF"
    if not rows:
        return 0
    frame = pandas.read_csv(path, keep_default_na=False, na_values=[""])
    duck = duckdb.sql(f"SELECT * FROM read_csv('{path}', header = true, sample_size = -1)")
    types = dict(zip(duck.columns, (str(t) for t in duck.types)))
    assert list(frame.columns) == header == duck.columns, f"{path}: other columns"
    assert len(frame) == len(rows) == len(duck), f"{path}: {len(rows)} rows, {len(frame)} and {len(duck)} were read"
    for at, column in enumerate(header):
        cells = [row[at] for row in rows if row[at] != ""]
        if not cells:
            continue
        want, place = wanted(column), f"{path}: column {column}"
        if want == "number":
            assert pandas.api.types.is_numeric_dtype(frame[column]), f"{place}: pandas sees {frame[column].dtype}"
            assert types[column] in ("BIGINT", "DOUBLE", "HUGEINT", "UBIGINT"), f"{place}: DuckDB sees {types[column]}"
            total = sum(float(cell) for cell in cells)
            seen = float(frame[column].sum()), float(duckdb.sql(f'SELECT sum("{column}"::DOUBLE) FROM duck').fetchall()[0][0])
            assert all(abs(s - total) <= 1e-6 * max(1.0, abs(total)) for s in seen), f"{place}: {total} is read as {seen}"
        elif want == "moment":
            pandas.to_datetime(frame[column].dropna(), format="ISO8601", utc=True)
            assert types[column].startswith("TIMESTAMP"), f"{place}: DuckDB sees {types[column]}"
        elif want == "boolean":
            assert set(cells) <= {"true", "false"}, f"{place}: {set(cells)}"
            assert types[column] == "BOOLEAN", f"{place}: DuckDB sees {types[column]}"
        else:
            assert set(frame[column].dropna().astype(str)) == set(cells) or column in ("revision", "machine"), f"{place}: pandas changes it"
    return len(rows)


def check_sheet(path):
    import subprocess
    import tempfile

    import openpyxl

    with open(path, newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file, strict=True)
    with tempfile.TemporaryDirectory() as folder:
        book = pathlib.Path(folder) / "table.xlsx"
        opened = subprocess.run(["ssconvert", path, str(book)], capture_output=True, text=True, timeout=120)
        assert opened.returncode == 0 and book.exists(), f"{path}: {opened.stderr}"
        table = [list(row) for row in openpyxl.load_workbook(book).active.iter_rows()]
    assert [cell.value for cell in table[0]] == header, f"{path}: other columns"
    assert len(table) == len(rows) + 1, f"{path}: {len(rows)} rows, {len(table) - 1} were read"
    for at, column in enumerate(header):
        want = wanted(column)
        for line, row in enumerate(rows):
            cell, place = table[line + 1][at] if at < len(table[line + 1]) else None, f"{path}:{line + 2}: {column}"
            value = None if cell is None else cell.value
            if row[at] == "":
                assert value is None, f"{place}: an empty cell is {value!r}"
            elif want == "number":
                assert cell.data_type == "n", f"{place}: {row[at]} is {value!r}"
                assert abs(value - float(row[at])) <= 1e-9 * abs(value), f"{place}: {row[at]} is {value!r}"
            elif want == "boolean":
                assert cell.data_type == "b", f"{place}: {row[at]} is {value!r}"
            elif want == "text" and column not in ("revision", "machine"):
                assert cell.data_type != "f" and str(value) == row[at], f"{place}: {row[at]!r} is {value!r}"
    return len(rows)


def check_junit(path):
    import xmlschema
    from junitparser import Failure, JUnitXml, Skipped

    schema = xmlschema.XMLSchema(pathlib.Path(__file__).with_name("junit.xsd"))
    schema.validate(path)
    # A check that finds nothing proves nothing.
    text = pathlib.Path(path).read_text(encoding="utf-8")
    assert not schema.is_valid(text.replace("classname=", "class=", 1)), f"{path}: the schema takes anything"
    document = JUnitXml.fromfile(path)
    cases = [case for suite in document for case in suite]
    assert cases, f"{path}: no test"
    assert document.tests == len(cases), f"{path}: {document.tests} tests are said, {len(cases)} are there"
    for said, kind in ((document.failures, Failure), (document.skipped, Skipped)):
        there = sum(any(isinstance(result, kind) for result in case.result) for case in cases)
        assert said == there, f"{path}: {said} of {kind.__name__} are said, {there} are there"
    return len(cases)


if __name__ == "__main__":
    kind, files = sys.argv[1], sys.argv[2:]
    assert files, "no files"
    check = {"csv": check_csv, "sheet": check_sheet, "junit": check_junit}[kind]
    for name in files:
        print(f"{name}: {check(name)}")
