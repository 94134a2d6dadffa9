"""The HTTP API: reports, series, the catalogue and the CSV files, over a reader's connection to ClickHouse.

Everything is a GET; parameters are read by `wording`, bound by `report`, and named after the catalogue, so nothing that
comes over the wire becomes SQL. Errors are problem details (RFC 9457): what, where, what now.
"""

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from aiohttp import ClientError, hdrs, web
from clickhouse_connect.driver.exceptions import ClickHouseError

from dashboard.answers import encoded, metrics_answer, report_answer, series_answer
from dashboard.asking import AskError, UnknownStore
from dashboard.export import MEDIA_TYPE, Kind, Language
from dashboard.export_rows import csv_lines, file_name
from dashboard.openapi import document
from dashboard.periods import PeriodError
from dashboard.report import report
from dashboard.series import series
from dashboard.wording import ASK_WORDS, WordError, choice_of, read_ask

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
# Numbers move with every event: a copy may be kept, but is asked for again with its tag.
FRESH: Final = "private, no-cache"
# The catalogue moves with a release only.
STEADY: Final = "public, max-age=300"
# No page of another site may read a store's numbers through a browser of this machine.
_HEADERS: Final = {"X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin"}

_CLIENT: Final["web.AppKey[Connect]"] = web.AppKey("client")
_HOSTS: Final["web.AppKey[frozenset[str]]"] = web.AppKey("hosts")
_SAID: Final = {404: "there is no such path; see /api/v1/openapi.json", 405: "everything here is a GET"}
_log: Final = logging.getLogger(__name__)

Connect = Callable[[], Awaitable[Any]]
"""Gives the reader's clickhouse-connect client, the same one every time; raises what the client raises."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Problem(Exception):
    """An answer that is an error. `detail` is a sentence for a person; `parameter` the word it is about."""

    def __init__(self, status: int, title: str, detail: str, *, parameter: str = "") -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.parameter = status, title, detail, parameter

    def response(self, path: str) -> web.Response:
        """As problem details."""
        body: dict[str, object] = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": path,
        }
        if self.parameter:
            body["parameter"] = self.parameter
        headers = {hdrs.CACHE_CONTROL: "no-store"}
        return web.Response(status=self.status, body=encoded(body), content_type=PROBLEM, headers=headers)


def make_app(connect: Connect, *, allowed_hosts: frozenset[str] | None) -> web.Application:
    """The application. `allowed_hosts`: names it may be called by (None: any); a loopback server takes its own only."""
    app = web.Application(middlewares=[_problems])
    app[_CLIENT] = connect
    app[_HOSTS] = allowed_hosts if allowed_hosts is not None else frozenset()
    app.router.add_get("/api/v1/report", _report)
    app.router.add_get("/api/v1/series", _series)
    app.router.add_get("/api/v1/metrics", _metrics)
    app.router.add_get("/api/v1/export.csv", _export)
    app.router.add_get("/api/v1/openapi.json", _openapi)
    app.router.add_get("/healthz", _healthz)
    return app


async def _report(request: web.Request) -> web.StreamResponse:
    ask = read_ask(_words(request))
    return _tagged(request, encoded(report_answer(await report(await _client(request), ask))), FRESH)


async def _series(request: web.Request) -> web.StreamResponse:
    ask = read_ask(_words(request))
    return _tagged(request, encoded(series_answer(await series(await _client(request), ask))), FRESH)


async def _metrics(request: web.Request) -> web.StreamResponse:
    return _tagged(request, encoded(metrics_answer()), STEADY)


async def _openapi(request: web.Request) -> web.StreamResponse:
    return _tagged(request, encoded(document()), STEADY)


async def _export(request: web.Request) -> web.StreamResponse:
    words = dict(_words(request))
    kind = choice_of(words, "kind", Kind, Kind.SESSIONS)
    language = choice_of(words, "language", Language, Language.EN)
    words.pop("kind", None)
    words.pop("language", None)
    allowed = tuple(word for word in ASK_WORDS if word not in ("by", "metric", "compare"))
    ask = read_ask(words, allowed=(*allowed, "kind", "language"))
    lines = csv_lines(await _client(request), ask, kind, language)
    # What is wrong with the question shows before the first line: only then does the answer begin.
    first = await anext(lines)
    response = web.StreamResponse(
        headers={
            hdrs.CONTENT_TYPE: MEDIA_TYPE,
            hdrs.CACHE_CONTROL: FRESH,
            hdrs.CONTENT_DISPOSITION: f'attachment; filename="{file_name(ask, kind)}"',
            **_HEADERS,
        }
    )
    await response.prepare(request)
    await response.write(first.encode())
    try:
        async for line in lines:
            await response.write(line.encode())
    except Exception:
        # Half a file with status 200 would pass for the whole: without its last chunk no client takes it for one.
        _log.exception("export of %s broke off", ask.store)
        if request.transport is not None:
            request.transport.close()
        raise
    await response.write_eof()
    return response


async def _healthz(request: web.Request) -> web.StreamResponse:
    await (await _client(request)).query("SELECT 1")
    return web.json_response({"status": "ok"}, headers={hdrs.CACHE_CONTROL: "no-store"})


def _words(request: web.Request) -> Mapping[str, Sequence[str]]:
    return {name: request.query.getall(name) for name in request.query}


async def _client(request: web.Request) -> Any:
    return await request.app[_CLIENT]()


def _tagged(request: web.Request, body: bytes, caching: str) -> web.Response:
    """The body under a tag of its content, or 304 to who has it already."""
    tag = hashlib.blake2b(body, digest_size=12).hexdigest()
    headers = {hdrs.ETAG: f'"{tag}"', hdrs.CACHE_CONTROL: caching, **_HEADERS}
    known = request.if_none_match or ()
    if any(each.value in (tag, "*") for each in known):
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, content_type=JSON, headers=headers)


@web.middleware
async def _problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as problem details; one that nobody expected is logged, and tells nothing of the inside."""
    try:
        _require_host(request)
        return await handler(request)
    except Problem as problem:
        return problem.response(request.path)
    except web.HTTPException as error:
        said = _SAID.get(error.status, str(error.text))
        return Problem(error.status, error.reason, said).response(request.path)
    except UnknownStore as error:
        return Problem(404, "No such store", str(error), parameter="store").response(request.path)
    except WordError as error:
        return Problem(400, "Wrong parameter", str(error), parameter=error.word).response(request.path)
    except (AskError, PeriodError) as error:
        return Problem(400, "Wrong question", str(error)).response(request.path)
    except (ClickHouseError, ClientError, OSError, TimeoutError) as error:
        _log.warning("%s: %s", request.path, " ".join(str(error).split())[:500])
        detail = "ClickHouse did not answer this; try again, and see the log of this server"
        return Problem(503, "No answer from ClickHouse", detail).response(request.path)
    except Exception:
        if request.transport is None or request.transport.is_closing():
            raise
        _log.exception("%s: unexpected", request.path)
        detail = "this is a fault of ours; the log of this server has it"
        return Problem(500, "Internal error", detail).response(request.path)


def _require_host(request: web.Request) -> None:
    """Refuse a foreign name for this machine: a page of another site could rebind its own name to loopback."""
    hosts = request.app[_HOSTS]
    name = (request.url.host or "").strip("[]")
    if hosts and name not in hosts:
        raise Problem(403, "Wrong host", f"this server answers to {', '.join(sorted(hosts))}, not to {name}")
