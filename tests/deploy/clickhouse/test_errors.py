"""Error texts of the engine, read back."""

import pytest

from deploy.local.clickhouse import errors
from deploy.local.clickhouse.errors import EngineError
from tests.fixtures.clickhouse import ClickHouseEndpoint


def test_a_wrapped_error_keeps_its_number_and_loses_its_wrapping() -> None:
    text = (
        "Code: 164. DB::Exception: Code: 164. DB::Exception: Cannot modify 'x' setting (READONLY) "
        "(version 26.9.2.1). (READONLY)"
    )
    error = EngineError.of(RuntimeError(text))
    assert (error.code, error.name, error.message) == (164, "READONLY", "Cannot modify 'x' setting")


def test_a_failed_stream_tells_what_failed() -> None:
    text = "Streaming insert finish failed: Code: 33. DB::Exception: Cannot read all data. (CANNOT_READ_ALL_DATA)"
    error = EngineError.of(RuntimeError(text))
    assert (error.code, error.name) == (33, "CANNOT_READ_ALL_DATA")
    expected = "Code: 33. DB::Exception: Cannot read all data. (CANNOT_READ_ALL_DATA) (version 1.2 (official build))\n"
    assert error.body("1.2") == expected


def test_a_text_without_a_number_is_unknown_and_whole() -> None:
    error = EngineError.of(RuntimeError("out of luck"))
    assert (error.code, error.status, error.message) == (1002, 500, "out of luck")


@pytest.mark.parametrize(
    ("code", "status"),
    [(516, 403), (497, 403), (62, 400), (60, 404), (115, 404), (159, 408), (48, 501), (164, 500), (241, 500)],
)
def test_numbers_have_the_status_of_a_server(code: int, status: int) -> None:
    assert EngineError((code, "X"), "").status == status


def test_our_numbers_and_names_are_the_engines(clickhouse: ClickHouseEndpoint) -> None:
    ours = [kind for kind in vars(errors).values() if isinstance(kind, tuple) and len(kind) == 2]
    client = clickhouse.client()
    for code, name in ours:
        assert client.command(f"SELECT errorCodeToName({code})") == name
    assert len(ours) >= 10
    client.close()
