"""Parquet: one row per tick, typed columns, for pandas, polars, DuckDB and R. Needs pyarrow.

An observation that is an array stands as its bytes (C order) beside its dtype and shape; any other as tagged JSON, with
``json`` as its dtype. Actions, inputs and infos are JSON text (see tagged.py).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hippogym.core.arrays import build, describe, dtype_from
from hippogym.data.columns import FLOAT, INT
from hippogym.data.export.optional import need
from hippogym.data.export.options import Options
from hippogym.data.export.rows import BOOL, COLUMNS, VALUE, Counts, EpisodeCounter, Row, rows
from hippogym.data.export.tagged import dumps, loads
from hippogym.data.ticks import Part

SUFFIX = ".parquet"

_ROWS = 2048  # of one row group, and
_BYTES = 8 * 2**20  # about as many bytes of observations; so this is what memory holds
_OBSERVATION = ("observation", "observation_dtype", "observation_shape")


def write(parts: Iterable[Part], path: Path, options: Options) -> Counts:
    """Write the rows of these episodes to a new file."""
    pa, pq = need("pyarrow"), need("pyarrow.parquet")
    schema = _schema(pa)
    counts = Counts()
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        for batch in _batches(rows(parts, counts)):
            file.write_batch(pa.RecordBatch.from_pylist(batch, schema=schema))
    return counts


def recount(path: Path, options: Options) -> Counts:
    """What the file holds, from reading it again."""
    counter = EpisodeCounter()
    with need("pyarrow.parquet").ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS, columns=["source", "episode", "kind"]):
            for row in batch.to_pylist():
                counter.row(row["source"], row["episode"], row["kind"])
    return counter.counts


def read(path: Path) -> Iterator[Row]:
    """The rows again, with arrays and tuples as they were in the record."""
    with need("pyarrow.parquet").ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS):
            for row in batch.to_pylist():
                yield _from_columns(row)


def _schema(pa: Any) -> Any:
    types = {INT: pa.int64(), FLOAT: pa.float64(), BOOL: pa.bool_()}
    fields = [pa.field(name, types.get(kind, pa.string())) for name, kind in COLUMNS.items() if name != "observation"]
    observation = zip(_OBSERVATION, (pa.binary(), pa.string(), pa.list_(pa.int64())), strict=True)
    return pa.schema([*fields, *(pa.field(name, kind) for name, kind in observation)])


def _batches(found: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in found:
        made = _to_columns(row)
        batch.append(made)
        size += len(made["observation"] or b"")
        if len(batch) >= _ROWS or size >= _BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _to_columns(row: Row) -> Row:
    made = {name: _to_column(row[name], kind) for name, kind in COLUMNS.items() if name != "observation"}
    return made | dict(zip(_OBSERVATION, _observation(row["observation"]), strict=True))


def _to_column(value: Any, kind: str) -> Any:
    if value is None:
        return None
    if kind == VALUE:
        return dumps(value)
    return _utf8(value) if type(value) is str else value


def _utf8(text: str) -> str:
    """Half characters, which JavaScript can send and UTF-8 cannot hold, are replaced."""
    return text.encode("utf-8", "replace").decode()


def _observation(value: Any) -> tuple[bytes | None, str | None, list[int] | None]:
    if value is None:
        return None, None, None
    if type(value) is np.ndarray:
        described = describe(value.dtype)
        if type(described) is str:
            return value.tobytes(), described, list(value.shape)
    return dumps(value).encode(), "json", None


def _from_columns(row: Row) -> Row:
    data, dtype, shape = (row.pop(name) for name in _OBSERVATION)
    made = {name: loads(row[name]) if kind == VALUE and row[name] is not None else row[name]
            for name, kind in COLUMNS.items() if name != "observation"}  # fmt: skip
    if data is None:
        made["observation"] = None
    else:
        made["observation"] = loads(data) if dtype == "json" else build(tuple(shape), dtype_from(dtype), data)
    return made
