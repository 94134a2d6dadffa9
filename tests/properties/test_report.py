"""Random worlds through the pipeline into the real engine: the report says what the oracle says, in every value."""

import pytest

from tests.audit.__main__ import table
from tests.audit.run import Options, compare_worlds
from tests.properties.conftest import House


@pytest.mark.clickhouse
@pytest.mark.parametrize("first", [0, 1000])
async def test_the_report_equals_the_oracle(house: House, first: int) -> None:
    options = Options(questions=6)
    finding = await compare_worlds(house.warehouse, house.client, range(first, first + 6), options)
    assert finding.is_exact, table(finding)
    assert len(finding.metrics) > 60
    assert finding.cells > 500
