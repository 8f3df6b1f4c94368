"""POST /v1/detect."""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import APIRouter, Request

from mt_service.detection import Guess, detect, writers
from mt_service.problems import RefusedError
from mt_service.routes.translate import PROBLEMS, admitted
from mt_service.schemas import DetectAnswer, DetectRequest, LanguageGuess
from mt_service.translator import Translator

router = APIRouter()
UNABLE = "languages are told apart only where models without a shortlist translate to each of them"


async def guesses(request: Request, candidates: Mapping[str, Translator], text: str) -> list[Guess]:
    """What a text's language may be, within the limits of a client.

    Raises:
        RefusedError, OverloadError, DeadlineError, EngineError: nothing was found out.
    """
    with admitted(request) as client:
        return await detect(candidates, text, request.app.state.settings.deadline_seconds, client)


@router.post("/v1/detect", responses=PROBLEMS)
async def detect_language(wish: DetectRequest, request: Request) -> DetectAnswer:
    """Tell the language of a text, among those that are served; its first 300 characters count."""
    candidates = writers(request.app.state.registry)
    if not candidates:
        raise RefusedError(422, "cannot_detect", UNABLE)
    found = await guesses(request, candidates, wish.text)
    return DetectAnswer(
        languages=[LanguageGuess(language=one.language, probability=round(one.probability, 4)) for one in found]
    )
