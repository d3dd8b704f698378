"""Every type that Parquet holds, written by pyarrow: tests/fixtures/arrow-types.parquet.

With an argument, compares that file (written by the plugin host's test after the trip through a guest) with the
original: every column equal, dictionaries apart.

    python tests/oracles/arrow_types.py [RETURNED.parquet]
"""

import datetime
import decimal
import pathlib
import sys

import pyarrow as pa
import pyarrow.parquet as pq

FIXTURE = pathlib.Path(__file__).parent.parent / "fixtures" / "arrow-types.parquet"


def table():
    utc = datetime.timezone.utc
    when = datetime.datetime(2026, 11, 21, 23, 59, 59, 123456, tzinfo=utc)
    return pa.table(
        {
            "text": pa.array(["a", "", "żółw 🐢"]),
            "nullable": pa.array(["x", None, "z"]),
            "integer": pa.array([-(2**63), None, 2**63 - 1], pa.int64()),
            "float": pa.array([0.1, None, -1e300], pa.float64()),
            "flag": pa.array([True, None, False]),
            "list": pa.array([[1, None, 3], None, []], pa.list_(pa.int64())),
            "struct": pa.array(
                [{"name": "n", "tags": ["a", "b"]}, None, {"name": None, "tags": []}],
                pa.struct([("name", pa.string()), ("tags", pa.list_(pa.string()))]),
            ),
            "decimal": pa.array([decimal.Decimal("123.45"), None, decimal.Decimal("-0.01")], pa.decimal128(10, 2)),
            "timestamp": pa.array([when, None, datetime.datetime(1969, 1, 1, tzinfo=utc)], pa.timestamp("us", tz="UTC")),
            "date": pa.array([datetime.date(2026, 11, 21), None, datetime.date(1900, 1, 1)], pa.date32()),
            "bytes": pa.array([b"\xff\x00", None, b""], pa.binary()),
            "color": pa.array(["red", None, "red"]).dictionary_encode(),
            "map": pa.array([[("k", 1)], None, []], pa.map_(pa.string(), pa.int64())),
            "small": pa.array([1, None, -1], pa.int16()),
        }
    )


def plain(column):
    column = column.combine_chunks()
    return column.dictionary_decode() if pa.types.is_dictionary(column.type) else column


def main():
    if len(sys.argv) == 1:
        pq.write_table(table(), FIXTURE)
        return
    expected, found = pq.read_table(FIXTURE), pq.read_table(sys.argv[1])
    assert found.column_names == expected.column_names, (found.column_names, expected.column_names)
    for name in expected.column_names:
        a, b = plain(expected[name]), plain(found[name])
        assert a.to_pylist() == b.to_pylist() and a.type == b.type, (name, a.type, b.type, a, b)
    print(f"{len(expected.column_names)} columns equal pyarrow's")


main()
