"""The modules that the clinician's page needs at its start, named in index.html so that they load at once.

    .venv/bin/python -m tools.page_preloads

writes the list anew. A browser finds imports only as it reads each module, one round trip after another.
"""

from __future__ import annotations

import re
from pathlib import Path
from posixpath import dirname, join, normpath
from typing import Final

PAGE: Final = Path(__file__).resolve().parents[1] / "server" / "page"
START: Final = "app.js"
_IMPORTS: Final = re.compile(r'(?:\bfrom|^import) "(\.[^"]+)"', re.MULTILINE)
_LINKS: Final = re.compile(r'(?:<link rel="modulepreload" href="[^"]*">\n)*(?=<script type="module")')


def needed() -> list[str]:
    """What `app.js` imports, and what that imports, by path within the page; `app.js` itself is a script."""
    found, left = set[str](), [START]
    while left:
        name = left.pop()
        if name in found:
            continue
        found.add(name)
        # A JSDoc import("…") names a type, and loads nothing.
        for wanted in _IMPORTS.findall((PAGE / name).read_text("utf-8")):
            left.append(normpath(join(dirname(name), wanted)))
    return sorted(found - {START})


def with_links(document: str) -> str:
    """The document, with a link for each of them before its script."""
    links = "".join(f'<link rel="modulepreload" href="/page/{name}">\n' for name in needed())
    return _LINKS.sub(links, document, count=1)


def main() -> None:
    """Write index.html."""
    path = PAGE / "index.html"
    path.write_text(with_links(path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
