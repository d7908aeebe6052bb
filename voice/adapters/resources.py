"""Files that come with the project: in a checkout beside the code, in an installed wheel inside it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from voice.errors import OnebreathError

_PACKAGE: Final = Path(__file__).resolve().parent.parent


def checkout() -> Path | None:
    """The root of the checkout this code runs from; None when it is an installed wheel."""
    root = _PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() else None


def resource(name: str) -> Path:
    """The file or folder `name`, such as "prompts" or "models/manifest.toml". Raises OnebreathError."""
    for root in (checkout(), _PACKAGE / "data"):
        if root is not None and (root / name).exists():
            return root / name
    raise OnebreathError(
        f"This installation lacks {name}.", "Install it again: pip install --force-reinstall onebreath"
    )
