"""The reference: a handler that commits one row, and does nothing else that intake does.

    python -m bench.intake_bare DATABASE-URL

FastAPI, uvicorn, and the server's own engine with its own settings and its own lock; a body of the same size.
It checks no signature, looks no device up, and asks nothing of the database before it writes.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastapi import FastAPI
from sqlalchemy import BigInteger, Column, Integer, LargeBinary, MetaData, Table
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse

from server.database import Database, connect
from server.serving import BACKLOG

_ROWS = Table(
    "bare",
    MetaData(),
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("body", LargeBinary),
)
_KEEP = _ROWS.insert()


def bare_app(database: Database) -> FastAPI:
    """`PUT /bare` keeps the body."""
    with database.write() as connection:
        _ROWS.create(connection, checkfirst=True)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    def keep(body: bytes) -> None:
        with database.write() as connection:
            connection.execute(_KEEP, {"body": body})

    async def put(request: Request) -> JSONResponse:
        body = await request.body()
        await run_in_threadpool(keep, body)
        return JSONResponse({"bytes": len(body)}, 201)

    app.add_api_route("/bare", put, methods=["PUT"])
    return app


def main() -> None:
    """Serve as `onebreath serve` does, on any free port."""
    app = bare_app(connect(sys.argv[1]))
    # Named TCP, so that asyncio turns Nagle off; else every answer waits for the other side to acknowledge.
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    bound.bind(("127.0.0.1", 0))
    bound.listen(BACKLOG)
    print(f"listening on http://127.0.0.1:{bound.getsockname()[1]}", flush=True)
    config = uvicorn.Config(
        app,
        access_log=False,
        log_level="warning",
        server_header=False,
        date_header=False,
        proxy_headers=False,
    )
    uvicorn.Server(config).run(sockets=[bound])


if __name__ == "__main__":
    main()
