"""Puts the server together. What it answers is in the modules that routes.py lists."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from fastapi import FastAPI
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp

from server import housekeeping, page_files
from server.accounts import AccountKeys
from server.auth import Context
from server.chores import Chore, Chores
from server.edge import CODE, Edge, template
from server.errors import RefusedError
from server.mail import MailServer
from server.metrics import Metrics
from server.notices import Notifier
from server.routes import ROUTERS
from server.settings import Settings, secret_from
from server.store import Store

_log = logging.getLogger("onebreath.server")
NOTICES_EVERY_S = 60
CHORES_GRACE_S = 2
_HTTP_CODES = {404: "not_found", 405: "method"}


def wall_clock() -> int:
    """Unix seconds."""
    return int(time.time())


class _App(FastAPI):
    """Answers through the edge, which is outside even of what answers a fault."""

    edge: Callable[[ASGIApp], ASGIApp]

    def build_middleware_stack(self) -> ASGIApp:
        """The framework's own layers within ours."""
        return self.edge(super().build_middleware_stack())


def create_app(
    settings: Settings, *, clock: Callable[[], int] = wall_clock, store: Store | None = None
) -> FastAPI:
    """The whole server. Raises ServerError when its database, or a secret's file, cannot be used.

    `store` None: the settings' database is checked, migrated and opened; else it has been.
    """
    token = None if settings.metrics_token_file is None else secret_from(settings.metrics_token_file)
    metrics = Metrics() if settings.measured else None
    store = store or Store.open(settings.database_url)

    chores = Chores(_chores(settings, store, clock, metrics))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        chores.start()
        async with housekeeping.kept(store.database, clock, every_s=settings.housekeeping_minutes * 60):
            yield
        chores.stop(CHORES_GRACE_S)
        store.close()

    app = _App(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.edge = lambda inner: Edge(inner, settings, clock=clock, timer=time.perf_counter, metrics=metrics)
    app.state.context = Context(store, settings, clock, store.nonce_key(), AccountKeys.of(store.database))
    app.state.metrics, app.state.metrics_token = metrics, token
    for router in ROUTERS:
        app.include_router(router)
    app.include_router(page_files.router)
    app.add_exception_handler(RefusedError, _refused)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(SQLAlchemyError, _storage_error)
    app.add_exception_handler(Exception, _fault)
    return app


def _chores(
    settings: Settings, store: Store, clock: Callable[[], int], metrics: Metrics | None
) -> list[Chore]:
    """What every worker offers to do; where it matters, one of them at a time gets the turn."""
    if not settings.notices:
        return []
    assert settings.smtp_from is not None and settings.public_url is not None  # noqa: S101, PT018
    notifier = Notifier(
        store.database,
        MailServer.of(settings).send,
        sender=settings.smtp_from,
        url=f"{settings.public_url}/",
        batch_s=settings.notice_batch_minutes * 60,
        clock=clock,
        count=(lambda _: None) if metrics is None else metrics.noticed,
    )
    return [Chore("notices", NOTICES_EVERY_S, notifier.run)]


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusedError)  # noqa: S101
    request.scope[CODE] = error.code
    return JSONResponse(error.body, error.status, headers=error.headers)


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)  # noqa: S101
    request.scope[CODE] = code = _HTTP_CODES.get(error.status_code, "request")
    answer = RefusedError(error.status_code, code, "There is nothing at this address, or not by this method.")
    return JSONResponse(answer.body, answer.status, headers=error.headers)


async def _storage_error(request: Request, error: Exception) -> JSONResponse:
    # The statement and its values stay out of the log: what failed, and where, is enough.
    request.scope[CODE] = "storage"
    _log.error("the database failed: %s at %s", type(error).__name__, template(request.scope))
    answer = RefusedError(
        503, "storage", "The server's database does not answer.", "Nothing was stored. Try again later."
    )
    return JSONResponse(answer.body, answer.status, headers={"Retry-After": "30"})


async def _fault(request: Request, error: Exception) -> JSONResponse:
    request.scope[CODE] = "fault"
    answer = RefusedError(500, "fault", "The server made a mistake.", "Nothing was stored. Try again later.")
    return JSONResponse(answer.body, answer.status)
