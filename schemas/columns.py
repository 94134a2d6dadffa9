"""Column types of ClickHouse as Python annotations: a row struct says once what a value is, in both worlds."""

from typing import Annotated, Any, Final

from msgspec import Meta


def _column(clickhouse: str) -> Meta:
    return Meta(extra={"clickhouse": clickhouse})


Text = Annotated[str, _column("String")]
Word = Annotated[str, _column("LowCardinality(String)")]
"""Text of few distinct values."""
Bytes = Annotated[bytes, _column("String")]
Instant = Annotated[int, _column("DateTime64(3, 'UTC')")]
"""Epoch milliseconds, UTC; 0 where there is none."""
Day = Annotated[int, _column("Date")]
"""Days since 1970-01-01."""
Flag = Annotated[int, _column("UInt8")]
Small = Annotated[int, _column("UInt16")]
Count = Annotated[int, _column("UInt32")]
Big = Annotated[int, _column("UInt64")]
Money = Annotated[int, _column("Int64")]
"""Minor units of the row's currency."""
Texts = Annotated[list[str], _column("Array(String)")]
Words = Annotated[list[str], _column("Array(LowCardinality(String))")]
Instants = Annotated[list[int], _column("Array(DateTime64(3, 'UTC'))")]
Days = Annotated[list[int], _column("Array(Date)")]
Flags = Annotated[list[int], _column("Array(UInt8)")]
Counts = Annotated[list[int], _column("Array(UInt32)")]
Bigs = Annotated[list[int], _column("Array(UInt64)")]
Moneys = Annotated[list[int], _column("Array(Int64)")]
MoneyTable = Annotated[list[list[int]], _column("Array(Array(Int64))")]
Blobs = Annotated[list[bytes], _column("Array(String)")]

NONE_INSTANT: Final = 0


def clickhouse_type(annotation: Any) -> str:
    """The ClickHouse type of an annotation made here; TypeError for any other."""
    for meta in getattr(annotation, "__metadata__", ()):
        if isinstance(meta, Meta) and meta.extra and "clickhouse" in meta.extra:
            return str(meta.extra["clickhouse"])
    raise TypeError(f"{annotation!r} is no column type of schemas.columns")
