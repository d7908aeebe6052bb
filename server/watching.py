"""Whether this server lives, whether it can do its work, and what it counted: for those who watch it.

`/health` says that the process answers; a failed database is no reason to end it. `/ready` says that records
can be kept: the database answers, has this version's schema, and has room.
"""

from __future__ import annotations

import shutil
from functools import cache
from pathlib import Path
from typing import Final

from alembic.script import ScriptDirectory
from fastapi import APIRouter
from sqlalchemy import text
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from server.auth import Context
from server.database import Database, alembic_config
from server.errors import RefusedError
from server.metrics import CONTENT_TYPE, Metrics, allowed

router = APIRouter()

_MB: Final = 1_000_000
_RETRY: Final = {"Retry-After": "30"}


@router.get("/health")
async def health() -> JSONResponse:
    """The process answers."""
    return JSONResponse({"status": "ok"})


@router.get("/ready")
async def ready(request: Request) -> JSONResponse:
    """Records can be kept."""
    context: Context = request.app.state.context
    await run_in_threadpool(check, context.store.database, context.settings.disk_free_mb)
    return JSONResponse({"status": "ok"})


@router.get("/metrics")
async def metrics(request: Request) -> Response:
    """All workers' counts, for whoever has the token; without a token set there is nothing here."""
    counted: Metrics | None = request.app.state.metrics
    token: str | None = request.app.state.metrics_token
    if counted is None or token is None:
        raise RefusedError(404, "not_found", "There is nothing at this address.")
    if not allowed(request.headers.get("authorization"), token):
        raise RefusedError(
            401,
            "token",
            "Metrics are given to those who have the token.",
            "Send it as: Authorization: Bearer TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )
    return Response(await run_in_threadpool(counted.render), media_type=CONTENT_TYPE)


def check(database: Database, free_mb: int) -> None:
    """Raise RefusedError 503 for a wrong schema or a full disk, SQLAlchemyError when the database fails."""
    with database.read() as connection:
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    if found != newest_revision():
        raise RefusedError(
            503,
            "schema",
            "The database has another version's schema.",
            "Restart the server, which brings it up to date, or install the version that made it.",
            headers=_RETRY,
        )
    if database.engine.dialect.name == "sqlite":
        folder = Path(database.engine.url.database or "").parent
        if shutil.disk_usage(folder).free < free_mb * _MB:
            raise RefusedError(
                503, "disk", "The database's disk is nearly full.", "Make room on it.", headers=_RETRY
            )


@cache
def newest_revision() -> str:
    """The schema that this version wants."""
    head = ScriptDirectory.from_config(alembic_config(None)).get_current_head()
    assert head is not None  # noqa: S101 - there are migrations
    return head
