"""The HTTP API on the real engine: the answers it describes itself, problems in words, nothing that could be SQL."""

import json
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import aiohttp
import jsonschema
import pytest
from aiohttp import web

from dashboard.api import make_app
from dashboard.openapi import document
from deploy.query import Server
from deploy.serving import LOOPBACK, ServeError, serving
from schemas.metrics import METRICS, SHOWN
from tests.dashboard.asking import Desk
from tests.sinks.making import at, order, session, watermark

RANGE = {"store": "acme", "from": "2026-01-01", "to": "2026-01-03"}


class Api:
    """A running API, asked over HTTP."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def get(self, path: str, **options: Any) -> tuple[int, Any, Any]:
        """Status, headers, body: JSON where it is JSON."""
        async with self.session.get(self.url + path, **options) as response:
            body = await response.read()
            is_json = "json" in response.content_type
            return (
                response.status,
                response.headers,
                json.loads(body, parse_float=Decimal) if is_json else body,
            )


@pytest.fixture
async def api(desk: Desk, clickhouse: Any) -> AsyncIterator[Api]:
    await desk.fill(
        session("c:ann", "s:1", messages_in=1),
        session("c:bob", "s:2", day=3, messages_in=2, channel="whatsapp"),
        order("o1", ("p1", 2, 100_050, "none", "")),
        order("o2", ("p1", 3, 200, "none", ""), day=3, currency="JPY", exponent=0, person="c:bob"),
        watermark(0, at(10)),
    )
    server = Server(clickhouse.reader_url, desk.warehouse.address.database)
    async with serving(server) as url, aiohttp.ClientSession() as http:
        yield Api(http, url)


def validated(name: str, answer: Any) -> None:
    """The answer is as docs/openapi.json says."""
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    jsonschema.Draft202012Validator(schema).validate(json.loads(json.dumps(answer, default=float)))


async def test_a_report_answers_every_metric_as_described(api: Api) -> None:
    status, headers, answer = await api.get("/api/v1/report", params=RANGE)
    assert (status, headers["Content-Type"]) == (200, "application/json")
    validated("Report", answer)
    assert list(dict.fromkeys(value["metric"] for value in answer["values"])) == [
        name for name in SHOWN if not METRICS[name].reporting
    ]
    numbers = {(v["metric"], v["currency"]): v["current"] for v in answer["values"] if not v["by"]}
    assert numbers["total_revenue", "EUR"] == Decimal("1000.50")
    assert numbers["average_price_per_item", "JPY"] == Decimal("66.666666666667")


async def test_a_store_with_a_reporting_currency_has_more_metrics_and_says_what_they_lack(
    api: Api, desk: Desk
) -> None:
    waiting: dict[str, Any] = {"reporting_currency": "EUR", "reporting_exponent": 2}
    await desk.fill(order("o1", ("p1", 1, 5, "none", ""), store_id="geneva", currency="USD", **waiting))
    asked = {**RANGE, "store": "geneva"}
    _, _, answer = await api.get("/api/v1/report", params=asked)
    validated("Report", answer)
    assert answer["store"]["reporting_currency"] == "EUR"
    assert list(dict.fromkeys(value["metric"] for value in answer["values"])) == list(SHOWN)
    (value,) = [value for value in answer["values"] if value["metric"] == "total_revenue_reporting"]
    assert (value["current"], value["left_out"], value["previous_left_out"]) == (0, 1, 0)
    _, _, answer = await api.get("/api/v1/series", params=asked)
    validated("Series", answer)
    (line,) = [line for line in answer["lines"] if line["metric"] == "total_revenue_reporting"]
    assert [point["left_out"] for point in line["points"]] == [1, 0, 0]


async def test_a_report_by_a_dimension_of_chosen_metrics(api: Api) -> None:
    asked = {**RANGE, "by": "channel", "metric": "channel_sessions,total_users"}
    _, _, answer = await api.get("/api/v1/report", params=asked)
    validated("Report", answer)
    assert [(v["metric"], v["by"]["channel"], v["current"]) for v in answer["values"]] == [
        ("channel_sessions", "web", 1),
        ("channel_sessions", "whatsapp", 1),
        ("total_users", "web", 1),
        ("total_users", "whatsapp", 1),
    ]


async def test_an_answer_has_a_tag_and_is_not_sent_twice(api: Api) -> None:
    _, headers, _ = await api.get("/api/v1/report", params=RANGE)
    assert headers["Cache-Control"] == "private, no-cache"
    status, _, body = await api.get(
        "/api/v1/report", params=RANGE, headers={"If-None-Match": headers["ETag"]}
    )
    assert (status, body) == (304, b"")
    status, _, _ = await api.get("/api/v1/report", params=RANGE, headers={"If-None-Match": '"other"'})
    assert status == 200


async def test_the_files_tell_the_numbers_of_the_series(api: Api) -> None:
    _, headers, body = await api.get("/api/v1/export.csv", params={**RANGE, "language": "es"})
    assert headers["Content-Type"] == "text/csv; charset=utf-8; header=present"
    assert headers["Content-Disposition"] == (
        'attachment; filename="acme_sessions_2026-01-01_2026-01-03.csv"'
    )
    assert body.decode().splitlines()[0].startswith("Fecha,Total de sesiones,Conversión promedio")
    _, _, answer = await api.get("/api/v1/series", params={**RANGE, "metric": "channel_sessions,bounce_rate"})
    validated("Series", answer)
    told = {each["metric"]: [point["current"] for point in each["points"]] for each in answer["lines"]}
    assert told == {"channel_sessions": [1, 0, 1], "bounce_rate": [100, None, 0]}
    rows = [line.split(",") for line in body.decode().split("\r\n")[1:-1]]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("2026-01-01", "1", "100.00"),
        ("2026-01-02", "0", ""),
        ("2026-01-03", "1", "0.00"),
    ]
    _, _, sales = await api.get("/api/v1/export.csv", params={**RANGE, "kind": "sales"})
    assert b"2026-01-03,JPY,200,1,200,3.00,67\r\n" in sales


async def test_all_series_and_the_catalogue_are_as_described(api: Api) -> None:
    _, _, answer = await api.get("/api/v1/series", params=RANGE)
    validated("Series", answer)
    with_days = {name for name in SHOWN if not METRICS[name].query and not METRICS[name].reporting}
    assert {each["metric"] for each in answer["lines"]} == with_days
    status, headers, answer = await api.get("/api/v1/metrics")
    validated("Metrics", answer)
    assert (status, headers["Cache-Control"]) == (200, "public, max-age=300")
    assert [each["name"] for each in answer["metrics"]] == list(SHOWN)
    _, _, described = await api.get("/api/v1/openapi.json")
    assert described == json.loads(json.dumps(document()))


@pytest.mark.parametrize(
    ("path", "status", "parameter", "said"),
    [
        ("report", 400, "store", "store is missing"),
        ("report?store=none", 404, "store", "'none' is not configured; configured: acme"),
        ("report?store=acme&perod=today", 400, "perod", "perod is not known here; known are store, period"),
        ("report?store=acme&period=week", 400, "period", "known are today, yesterday"),
        ("report?store=acme&period=today&period=yesterday", 400, "period", "given 2 times"),
        ("report?store=acme&from=2026-01-02&to=2026-01-01", 400, None, "swap from and to"),
        ("report?store=acme&from=20260101&to=2026-01-01", 400, "from", "no date; write it as 2026-01-31"),
        ("report?store=acme&from=0001-01-01&to=2026-01-01", 400, None, "no event is older than 1999-12-31"),
        ("series?store=acme&from=2000-01-01&to=2026-01-01", 400, None, "ask for fewer days or metrics"),
        ("report?store=acme&as_of=yesterday", 400, "as_of", "write it with its offset"),
        ("report?store=acme&metric=password", 400, None, "metric password is not known"),
        ("report?store=acme&by=channel;DROP", 400, None, "no metric can be told apart by channel;DROP"),
        ("series?store=acme&metric=lost_customers", 400, None, "as of an instant"),
        ("export.csv?store=acme&language=fr", 400, "language", "known are en, es, pt"),
        ("export.csv?store=acme&metric=total_users", 400, "metric", "metric is not known here"),
        ("export.csv?store=none", 404, "store", "not configured"),
        ("reports?store=acme", 404, None, "there is no such path; see /api/v1/openapi.json"),
    ],
)
async def test_problems_say_what_where_and_what_now(
    api: Api, path: str, status: int, parameter: str | None, said: str
) -> None:
    found, headers, problem = await api.get(f"/api/v1/{path}")
    assert (found, headers["Content-Type"]) == (status, "application/problem+json")
    validated("Problem", problem)
    assert problem.get("parameter") == parameter
    assert said in problem["detail"]
    assert headers["Cache-Control"] == "no-store"


async def test_words_are_bound_and_never_sql(api: Api) -> None:
    for channel in ("' OR 1=1 --", "web') UNION ALL SELECT 1 --", "{store:String}"):
        status, _, answer = await api.get(
            "/api/v1/report", params={**RANGE, "channel": channel, "metric": "total_sessions"}
        )
        assert (status, [value["current"] for value in answer["values"]]) == (200, [0])


async def test_it_only_reads_and_only_for_its_own_names(api: Api) -> None:
    async with api.session.post(f"{api.url}/api/v1/report", data=b"x") as response:
        assert (response.status, response.content_type) == (405, "application/problem+json")
    status, _, problem = await api.get("/api/v1/metrics", headers={"Host": "shop.example"})
    assert (status, problem["title"]) == (403, "Wrong host")


async def test_an_instant_with_its_plus_unescaped_is_understood(api: Api) -> None:
    async with api.session.get(
        f"{api.url}/api/v1/report?store=acme&period=today&metric=total_orders&as_of=2026-01-02T00:00:00+01:00"
    ) as response:
        assert (await response.json())["data_as_of"] == "2026-01-01T23:00:00.000+00:00"


async def test_without_clickhouse_the_answer_is_503_and_tells_nothing_of_the_inside() -> None:
    async with serving(Server("http://127.0.0.1:9", "x")) as url, aiohttp.ClientSession() as http:
        for path in ("/api/v1/report?store=acme", "/healthz"):
            status, _, problem = await Api(http, url).get(path)
            assert (status, problem["title"]) == (503, "No answer from ClickHouse")
            assert "127.0.0.1:9" not in problem["detail"]


async def test_a_busy_port_is_said_with_what_to_do(api: Api) -> None:
    port = int(api.url.rsplit(":", 1)[1])
    with pytest.raises(ServeError, match=f"can't listen on 127.0.0.1:{port} .* choose another --port"):
        async with serving(Server("http://127.0.0.1:9", "x"), port=port):
            pass


async def test_a_file_that_breaks_off_is_not_taken_for_the_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dashboard.export_rows.CHUNK_DAYS", 1)

    class Failing:
        """The real client, for so many queries."""

        left = 5

        async def query(self, *arguments: Any, **named: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise OSError("gone")
            return await desk.client.query(*arguments, **named)

    failing = Failing()

    async def connect() -> Any:
        return failing

    runner = web.AppRunner(make_app(connect, allowed_hosts=LOOPBACK), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/v1/export.csv"
    try:
        asked = {**RANGE, "as_of": "2026-01-20T00:00:00Z"}
        async with aiohttp.ClientSession() as http, http.get(url, params=asked) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
    finally:
        await runner.cleanup()
