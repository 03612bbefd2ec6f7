"""Tidy rows as Parquet: one file per review, and those of many reviews concatenated without having them all in memory."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmeta.support.files import write_with

if TYPE_CHECKING:
    import pyarrow as pa

#: rows per group of a concatenated file: enough to compress well, few enough for memory
GROUP_ROWS = 50_000


def rows_bytes(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """Return tidy rows as a Parquet file.

    Parameters
    ----------
    rows : iterable of dict
        Tidy rows: text, numbers, true or false, None; anything else becomes its JSON.

    Returns
    -------
    bytes
        Columns in the order in which they appear first; numbers as float64 at full precision.
    """
    import pyarrow.parquet as pq

    stream = io.BytesIO()
    pq.write_table(_table(list(rows)), stream, compression="zstd")
    return stream.getvalue()


def _table(rows: list[Mapping[str, Any]]) -> pa.Table:
    import pyarrow as pa

    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> pa.Array:
    import pyarrow as pa

    values = [None if isinstance(value, float) and math.isnan(value) else value for value in values]
    kinds = {type(value) for value in values if value is not None}
    if not kinds:
        return pa.nulls(len(values))
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds <= {int, float, bool}:
        return pa.array([None if value is None else float(value) for value in values], pa.float64())
    return pa.array(
        [value if value is None or isinstance(value, str) else json.dumps(value) for value in values], pa.string()
    )


def parquet_problem(path: Path) -> str:
    """Return why a Parquet file cannot be read; "" if it can."""
    import pyarrow.parquet as pq

    try:
        pq.read_schema(path)
    except (OSError, ValueError) as error:
        return f"{path.name} cannot be read ({error}); run the review again with --fresh"
    return ""


def concatenate_parquet(sources: Iterable[tuple[str, Path]], target: Path, name: str = "review") -> int:
    """Concatenate the Parquet files of many reviews into one.

    Parameters
    ----------
    sources : iterable of (str, path)
        Id and file of each review, in the order of the rows.
    target : pathlib.Path
        File to write, atomically and by groups of rows: memory does not grow with the number of reviews.
    name : str
        Name of the first column, the review's id.

    Returns
    -------
    int
        Number of rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    sources = list(sources)
    schema = _common_schema(pq.read_schema(path) for _, path in sources)
    schema = schema.insert(0, pa.field(name, pa.string()))
    count = 0

    def fill(stream: Any) -> None:
        nonlocal count
        with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
            for group in _row_groups(sources, schema):
                count += group.num_rows
                writer.write_table(group)

    write_with(target, fill)
    return count


def _common_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """Return the columns of all files: text where one has text, numbers where all are empty."""
    import pyarrow as pa

    kinds: dict[str, set[pa.DataType]] = {}
    for schema in schemas:
        for field in schema:
            kinds.setdefault(field.name, set()).add(field.type)
    return pa.schema([(name, _common_type(found - {pa.null()})) for name, found in kinds.items()])


def _common_type(kinds: set[pa.DataType]) -> pa.DataType:
    import pyarrow as pa

    if len(kinds) == 1:
        return next(iter(kinds))
    return pa.string() if pa.string() in kinds else pa.float64()


def _row_groups(sources: list[tuple[str, Path]], schema: pa.Schema) -> Iterator[pa.Table]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pending: list[pa.Table] = []
    for review, path in sources:
        table = pq.read_table(path, partitioning=None)
        columns = [pa.array([review] * len(table), pa.string())]
        for field in list(schema)[1:]:
            present = field.name in table.column_names
            columns.append(table[field.name].cast(field.type) if present else pa.nulls(len(table), field.type))
        pending.append(pa.table(columns, schema=schema))
        if sum(map(len, pending)) >= GROUP_ROWS:
            yield pa.concat_tables(pending).combine_chunks()
            pending = []
    if pending:
        yield pa.concat_tables(pending).combine_chunks()
