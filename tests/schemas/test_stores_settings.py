"""What `stores.toml` says of the customer base, and that it moves no stored number."""

import msgspec
import pytest

from processors.person import Tenant
from schemas.stores import Rfm, Store, StoresError, moving_numbers, parse_stores


def test_name_and_customer_base_move_no_stored_numbers() -> None:
    plain = Store()
    assert moving_numbers(Store(name="Acme", base_period_days=180, rfm=Rfm("fixed"))) == plain
    tokyo = msgspec.structs.replace(plain, zone="Asia/Tokyo")
    assert moving_numbers(tokyo) == tokyo


def test_thresholds_must_ascend() -> None:
    head = 'version = 1\n[stores.acme]\n[stores.acme.rfm]\nmethod = "fixed"\n'
    assert parse_stores(head + "f = [1, 2, 3, 4]\n")["acme"].rfm.f == (1, 2, 3, 4)
    with pytest.raises(StoresError, match=r"store acme: rfm\.f \[1, 3, 2, 4\] must ascend"):
        parse_stores(head + "f = [1, 3, 2, 4]\n")
    with pytest.raises(StoresError, match="rfm"):
        parse_stores(head + "f = [1, 2, 3]\n")


def test_the_reporting_currency_moves_stored_numbers_and_must_exist() -> None:
    plain = Store()
    told = msgspec.structs.replace(plain, reporting_currency="USD")
    assert moving_numbers(told) != plain
    head = "version = 1\n[stores.acme]\n"
    assert parse_stores(head + 'reporting_currency = "USD"\n')["acme"] == told
    with pytest.raises(StoresError, match="store acme: reporting_currency 'usd' is no ISO 4217 code"):
        parse_stores(head + 'reporting_currency = "usd"\n')


def test_stores_of_a_zone_share_a_calendar_so_that_a_thousand_stores_remember_its_quarters_once() -> None:
    first, second = (Tenant(name, Store(zone="Asia/Tokyo")) for name in ("acme", "sakura"))
    assert first.calendar is second.calendar
    assert first.calendar is not Tenant("souk", Store(zone="Asia/Kuwait")).calendar
