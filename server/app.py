"""Puts the server together. What it answers is in the modules that routes.py lists."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse

from server.answers import PlainHeaders
from server.auth import Context
from server.errors import RefusedError
from server.routes import ROUTERS
from server.settings import Settings
from server.store import Store

_log = logging.getLogger("onebreath.server")
_HTTP_CODES = {404: "not_found", 405: "method"}


def wall_clock() -> int:
    """Unix seconds."""
    return int(time.time())


def create_app(settings: Settings, *, clock: Callable[[], int] = wall_clock) -> FastAPI:
    """The whole server on an opened and migrated database. Raises ServerError when that cannot be used."""
    store = Store.open(settings.database_url)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        store.close()

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.context = Context(store, settings, clock, store.nonce_key())
    for router in ROUTERS:
        app.include_router(router)
    app.add_api_route("/health", _health, methods=["GET"])
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(SQLAlchemyError, _storage_error)
    app.add_exception_handler(Exception, _fault)
    app.add_middleware(PlainHeaders, clock=clock)
    return app


async def _health(request: Request) -> JSONResponse:
    context: Context = request.app.state.context
    await run_in_threadpool(context.store.touch)
    return JSONResponse({"status": "ok"})


async def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)  # noqa: S101
    return JSONResponse(error.body, error.status, headers=error.headers)


async def _http_error(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    code = _HTTP_CODES.get(error.status_code, "request")
    answer = RefusedError(error.status_code, code, "There is nothing at this address, or not by this method.")
    return JSONResponse(answer.body, answer.status, headers=error.headers)


async def _storage_error(request: Request, error: Exception) -> JSONResponse:
    # The statement and its values stay out of the log: what failed, and where, is enough.
    _log.error("%s %s: the database failed: %s", request.method, request.url.path, type(error).__name__)
    answer = RefusedError(
        503, "storage", "The server's database does not answer.", "Nothing was stored. Try again later."
    )
    return JSONResponse(answer.body, answer.status, headers={"Retry-After": "30"})


async def _fault(_: Request, error: Exception) -> JSONResponse:
    answer = RefusedError(500, "fault", "The server made a mistake.", "Nothing was stored. Try again later.")
    return JSONResponse(answer.body, answer.status)
