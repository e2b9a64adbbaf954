"""How a web origin is written, wherever one is configured."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator

_FORM = re.compile(r"https?://[^/\s,]+")


def checked_origin(text: str) -> str:
    """The origin. Raises `ValueError` with what would be right."""
    if not _FORM.fullmatch(text):
        raise ValueError(f"{text!r} is no origin: write it like https://app.example.com")
    return text


Origin = Annotated[str, AfterValidator(checked_origin)]
