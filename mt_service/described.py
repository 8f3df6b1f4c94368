"""The description of the interface, with the limits of this very server."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from mt_service.schemas import TranslateRequest
from mt_service.settings import Settings


def tell_limits(app: FastAPI, settings: Settings) -> None:
    """Have /openapi.json say what a request may ask for here, and not what it might anywhere."""
    general = app.openapi

    def limited() -> dict[str, Any]:
        schema = general()
        add_limits(schema["components"]["schemas"][TranslateRequest.__name__]["properties"], settings)
        return schema

    app.openapi = limited  # type: ignore[method-assign]


def add_limits(fields: dict[str, Any], settings: Settings) -> None:
    """Put the limits of `routes.translate.check_limits` into a description of the fields."""
    (text, texts), (beam, _), (glossary, _) = (fields[name]["anyOf"] for name in ("text", "beam", "glossary"))
    text["maxLength"], texts["maxItems"] = settings.max_characters, settings.max_texts
    glossary["maxProperties"] = settings.max_terms
    beam["maximum"], fields["n_best"]["maximum"] = settings.max_beam, min(settings.max_n_best, settings.max_beam)
