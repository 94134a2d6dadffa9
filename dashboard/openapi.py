"""The description of the HTTP API, made from the catalogue: docs/openapi.json and `/api/v1/openapi.json`."""

import json
from collections.abc import Mapping
from typing import Any, Final

from dashboard.answers import metric_answer
from dashboard.asking import State
from dashboard.dimensions import dimensions
from dashboard.export import COLUMNS, SALES_HEADER, Kind, Language
from dashboard.periods import EARLIEST, Compare, Convention, Period
from dashboard.series import MOST_POINTS
from schemas.metrics import METRICS, SHOWN
from schemas.metrics.model import Grain, Section, Unit

PATH: Final = "docs/openapi.json"
VERSION: Final = "1"

Json = dict[str, Any]

_STRING: Final[Json] = {"type": "string"}
_BOOLEAN: Final[Json] = {"type": "boolean"}
_DATE: Final[Json] = {"type": "string", "format": "date"}
_INSTANT: Final[Json] = {"type": "string", "format": "date-time"}
_STORE: Final[Json] = {"type": "string", "maxLength": 64, "pattern": "^[A-Za-z0-9_.-]+$"}


def _or_null(schema: Json) -> Json:
    return {**schema, "type": [schema["type"], "null"]}


_NUMBER: Final = _or_null({"type": "number"})
_COUNT: Final = _or_null({"type": "integer"})


def rendered_files() -> Mapping[str, str]:
    """Path in the repository -> text."""
    return {PATH: json.dumps(document(), indent=1, ensure_ascii=False) + "\n"}


def document() -> Json:
    """OpenAPI 3.1."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Shopmeter",
            "version": VERSION,
            "description": (
                "Metrics of a store, exact as of `data_as_of`. Numbers are decimals and mean what is written: money"
                " stands in major units with exactly its currency's digits and is never added up over currencies;"
                " percent is 0 to 100; a quotient shows twelve digits at most, and its two sides beside it are exact."
                " Dates are the store's, periods half-open."
            ),
        },
        "paths": {
            "/api/v1/report": _path(
                "report",
                "All metrics of a period, or the chosen ones, beside the period before.",
                [*_asking(), _compare(), _by(), _metric()],
                _json_answer("Report"),
            ),
            "/api/v1/series": _path(
                "series",
                "Metrics by store date, days without any at 0, each day computed as a period of its own, with the"
                f" previous period beside. At most {MOST_POINTS:,} points, which are lines times days.",
                [*_asking(), _compare(), _by(), _metric()],
                _json_answer("Series"),
            ),
            "/api/v1/metrics": _path("metrics", "The catalogue.", [], _json_answer("Metrics"), asks=False),
            "/api/v1/export.csv": _path(
                "export",
                f"One row a store date, ascending. sessions: the date, then {', '.join(COLUMNS)}."
                f" sales: {', '.join(SALES_HEADER)}, a row for each currency."
                " RFC 4180, UTF-8, CRLF; quotients with two decimals, an empty cell for null.",
                [
                    *_asking(),
                    _query("kind", "Which file.", _enum(Kind), Kind.SESSIONS.value),
                    _query(
                        "language", "Of the header of the sessions file.", _enum(Language), Language.EN.value
                    ),
                ],
                {"200": {"description": "The file.", "content": {"text/csv": {"schema": _STRING}}}},
            ),
            "/healthz": _path(
                "healthz",
                "Whether this server and its ClickHouse answer.",
                [],
                {
                    "200": {
                        "description": "They do.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
                asks=False,
            ),
        },
        "components": {"schemas": _schemas()},
    }


def _path(name: str, says: str, parameters: list[Json], answers: Json, *, asks: bool = True) -> Json:
    problems = ("400", "404", "503") if asks else ("503",)
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    titles = {"400": "The question is wrong.", "404": "No such store.", "503": "ClickHouse does not answer."}
    responses = answers | {code: {"description": titles[code], "content": content} for code in problems}
    return {"get": {"operationId": name, "summary": says, "parameters": parameters, "responses": responses}}


def _json_answer(schema: str) -> Json:
    return {
        "200": {
            "description": "The answer.",
            "headers": {"ETag": {"description": "Of this very answer.", "schema": _STRING}},
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        },
        "304": {"description": "As the tag in If-None-Match says."},
    }


def _query(name: str, says: str, schema: Json, default: str | None = None, *, many: bool = False) -> Json:
    if many:
        schema = {"type": "array", "items": schema}
    elif default is not None:
        schema = {**schema, "default": default}
    found: Json = {"name": name, "in": "query", "description": says, "schema": schema}
    if many:
        found |= {"style": "form", "explode": False}
    return found


def _enum(choices: type[Any]) -> Json:
    return {"type": "string", "enum": [each.value for each in choices]}


def _asking() -> list[Json]:
    return [
        {**_query("store", "Its id.", _STORE), "required": True},
        _query("period", "Which days.", _enum(Period), Period.LAST_30_DAYS.value),
        _query("from", f"First store date of a custom period; {EARLIEST} at the earliest.", _DATE),
        _query("to", "Last store date of a custom period, included.", _DATE),
        _query("channel", "Only this channel; without it all together.", _STRING),
        _query(
            "convention",
            "named: last 7 days are 7. literal: they begin on the eighth day before today.",
            _enum(Convention),
            Convention.NAMED.value,
        ),
        _query(
            "as_of",
            "The instant up to which is counted; without it, that up to which everything is there.",
            _INSTANT,
        ),
    ]


def _compare() -> Json:
    says = "What a month to date is compared with: the same days of the month before, or as many just before."
    return _query("compare", says, _enum(Compare), Compare.CALENDAR.value)


def _by() -> Json:
    says = "Dimensions that values are told apart by; see the catalogue for which metric has which."
    return _query("by", says, {"type": "string", "enum": list(dimensions())}, many=True)


def _metric() -> Json:
    names = {"type": "string", "enum": list(SHOWN)}
    return _query("metric", "Only these; without it all that can be told apart so.", names, many=True)


def _object(**members: Json) -> Json:
    return {"type": "object", "properties": members, "required": list(members), "additionalProperties": False}


def _and_perhaps(schema: Json, **members: Json) -> Json:
    """The object with members that it need not have."""
    return {**schema, "properties": {**schema["properties"], **members}}


def _array(items: Json) -> Json:
    return {"type": "array", "items": items}


def _schemas() -> Json:
    span = {**_object(**{"from": _DATE, "to": _DATE}, start=_INSTANT, end=_INSTANT)}
    span["type"] = ["object", "null"]
    head: dict[str, Json] = {
        "store": _and_perhaps(
            _object(id=_STRING, name=_STRING, zone=_STRING, currency=_STRING), reporting_currency=_STRING
        ),
        "period": _object(
            name=_enum(Period),
            convention=_enum(Convention),
            compare=_enum(Compare),
            current=span,
            previous=span,
            empty_period=_BOOLEAN,
            comparison_clamped=_BOOLEAN,
        ),
        "channel": _or_null(_STRING),
        "by": _array(_STRING),
        "data_as_of": _INSTANT,
        "as_of_past": {
            **_BOOLEAN,
            "description": "It lies before what is there: later changes inside older rows stay in.",
        },
    }
    told: dict[str, Json] = {
        "metric": {"$ref": "#/components/schemas/MetricName"},
        "by": {"type": "object", "additionalProperties": _STRING},
        "currency": _or_null(_STRING),
    }
    value = _object(
        **told,
        current=_NUMBER,
        previous=_NUMBER,
        change_pct=_NUMBER,
        change_pp=_NUMBER,
        state={"enum": [*(each.value for each in State), None]},
        numerator=_COUNT,
        denominator=_COUNT,
        previous_numerator=_COUNT,
        previous_denominator=_COUNT,
        is_provisional=_BOOLEAN,
        matures_at=_or_null(_INSTANT),
        inferred=_BOOLEAN,
    )
    says = "Orders, and things taken back, without a rate: this sum in the reporting currency lacks them."
    left_out = {"left_out": {**_COUNT, "description": says}, "previous_left_out": _COUNT}
    point = _and_perhaps(
        _object(
            date=_DATE,
            current=_NUMBER,
            previous_date=_or_null(_DATE),
            previous=_NUMBER,
        ),
        **left_out,
    )
    value = _and_perhaps(value, **left_out)
    metric = _object(
        name=_STRING,
        number=_STRING,
        section=_enum(Section),
        definition=_STRING,
        day=_STRING,
        unit=_enum(Unit),
        grain=_enum(Grain),
        dimensions=_array(_STRING),
        numerator=_or_null(_STRING),
        denominator=_or_null(_STRING),
        compares=_BOOLEAN,
        origin=_STRING,
    )
    reading = _object(number=_STRING, name=_STRING, definition=_STRING, where=_STRING)
    return {
        "Report": _object(**head, values=_array({"$ref": "#/components/schemas/Value"})),
        "Series": _object(**head, lines=_array(_object(**told, points=_array(point)))),
        "Value": value,
        "Metrics": _object(metrics=_array(metric), readings=_array(reading)),
        "MetricName": {"oneOf": [_named(name) for name in SHOWN]},
        "Problem": {
            "type": "object",
            "properties": {
                "type": _STRING,
                "title": _STRING,
                "status": {"type": "integer"},
                "detail": {**_STRING, "description": "What is wrong, where, and what to do."},
                "instance": _STRING,
                "parameter": _STRING,
            },
            "required": ["type", "title", "status", "detail", "instance"],
        },
    }


def _named(name: str) -> Json:
    metric = metric_answer(METRICS[name])
    return {"const": name, "title": metric["number"], "description": metric["definition"]}
