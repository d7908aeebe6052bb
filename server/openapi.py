"""The OpenAPI 3.1 document of every call, made from one table (openapi_calls.py).

    python -m server.openapi > openapi.json

The server does not serve it: in production there is no `/docs` and no `/openapi.json`.
"""

from __future__ import annotations

import json
import re
import sys
from importlib.metadata import version
from typing import Any, Final

from server.openapi_calls import (
    CALLS,
    CLINICIAN,
    DEVICE,
    HEX,
    NOBODY,
    PAGE,
    SESSION,
    TOKEN,
    Call,
    Schema,
    number,
    octets,
    text,
)

ALWAYS: Final = {
    400: "body query request",
    404: "not_found",
    405: "method",
    408: "timeout",
    413: "too_large",
    500: "fault",
    503: "storage busy",
}
"""What any call may answer."""

OF_CALLER: Final[dict[str, dict[int, str]]] = {
    NOBODY: {},
    TOKEN: {},
    DEVICE: {401: "signature unknown_device clock replayed", 403: "revoked"},
    CLINICIAN: {
        401: "signature unknown_clinician clock replayed session",
        403: "closed role origin",
    },
    PAGE: {403: "origin"},
    SESSION: {401: "session", 403: "role origin"},
}
"""What any call of a kind of caller may answer besides."""

_SECURITY: Final[dict[str, list[dict[str, list[str]]]]] = {
    NOBODY: [],
    TOKEN: [{"token": []}],
    DEVICE: [{"signature": []}],
    CLINICIAN: [{"signature": []}, {"session": []}],
    PAGE: [],
    SESSION: [{"session": []}],
}
_IN_PATH: Final[dict[str, Schema]] = {
    "pairing": octets(16),
    "epoch": number(0, 2**32 - 1),
    "version": number(1, 2**63 - 1),
    "credential": octets(),
}


def document() -> dict[str, Any]:
    """The whole document, as JSON would have it."""
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method.lower()] = _operation(call)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Onebreath server",
            "version": version("onebreath"),
            "description": "Calls of devices, clinicians and the clinician's page. voice/wire/FORMAT.md is "
            "the contract in prose; bytes in JSON are canonical base64url, ids are lower-case hex.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                "signature": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Signature",
                    "description": "RFC 9421 with Ed25519 over method, target URI and content digest, in the "
                    "one profile of FORMAT.md section 6, with Signature-Input and Content-Digest.",
                },
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-onebreath"},
                "token": {"type": "http", "scheme": "bearer"},
            }
        },
    }


def codes(call: Call) -> dict[int, list[str]]:
    """Every error code that a call may answer, by status."""
    found: dict[int, list[str]] = {}
    for part in (ALWAYS, OF_CALLER[call.by], call.refuses):
        for status, listed in part.items():
            found.setdefault(status, []).extend(listed.split())
    return found


def _operation(call: Call) -> dict[str, Any]:
    made: dict[str, Any] = {
        "operationId": _name(call),
        "summary": call.says,
        "tags": [call.by],
        "security": _SECURITY[call.by],
        "parameters": [*_in_path(call.path), *_in_query(call)],
        "responses": {
            **{str(status): _answer(call, schema) for status, schema in call.answers.items()},
            **{str(status): _refusal(listed) for status, listed in sorted(codes(call).items())},
        },
    }
    if call.asks is not None:
        kind = "application/octet-stream" if call.asks.get("format") == "binary" else "application/json"
        made["requestBody"] = {"required": True, "content": {kind: {"schema": call.asks}}}
    return made


def _name(call: Call) -> str:
    words = re.sub(r"[^a-z0-9]+", "_", call.path.removeprefix("/v1").lower()).strip("_")
    return f"{call.method.lower()}_{words}"


def _in_path(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": _IN_PATH.get(name, HEX)}
        for name in re.findall(r"\{(\w+)\}", path)
    ]


def _in_query(call: Call) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in call.query.items()
    ]


def _answer(call: Call, schema: Schema) -> dict[str, Any]:
    kind = "text/plain" if call.by == TOKEN else "application/json"
    return {"description": call.says, "content": {kind: {"schema": schema}}}


def _refusal(listed: list[str]) -> dict[str, Any]:
    schema: Schema = {
        "type": "object",
        "properties": {
            "error": text(enum=list(dict.fromkeys(listed))),
            "message": text(),
            "remedy": text(),
            "nonce": text("^[A-Za-z0-9_-]{16,128}$"),
            "state": text(),
            "version": text("^[0-9]+$"),
        },
        "required": ["error", "message", "remedy"],
        "additionalProperties": False,
    }
    said = ", ".join(f"`{code}`" for code in dict.fromkeys(listed))
    return {"description": f"Refused: {said}.", "content": {"application/json": {"schema": schema}}}


def main() -> None:
    """Write the document to standard output."""
    json.dump(document(), sys.stdout, indent=1)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
