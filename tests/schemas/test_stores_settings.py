"""What `stores.toml` says of the customer base, and that it moves no stored number."""

import msgspec
import pytest

from schemas.stores import Rfm, Store, StoresError, fingerprint, parse_stores


def test_the_customer_base_is_no_part_of_the_fingerprint() -> None:
    plain = Store()
    scored = Store(name="Acme", base_period_days=180, rfm=Rfm("fixed"))
    assert fingerprint({"acme": plain}) == fingerprint({"acme": scored})
    assert fingerprint({"acme": plain}) != fingerprint(
        {"acme": msgspec.structs.replace(plain, zone="Asia/Tokyo")}
    )


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
    assert fingerprint({"acme": plain}) != fingerprint({"acme": told})
    head = "version = 1\n[stores.acme]\n"
    assert parse_stores(head + 'reporting_currency = "USD"\n')["acme"] == told
    with pytest.raises(StoresError, match="store acme: reporting_currency 'usd' is no ISO 4217 code"):
        parse_stores(head + 'reporting_currency = "usd"\n')
