"""POST /v1/detect."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from mt_service.detection import detect, writers
from mt_service.problems import RefusedError
from mt_service.routes.admission import admitted
from mt_service.routes.direct import DirectRoute
from mt_service.routes.sources import UNABLE
from mt_service.routes.translate import PROBLEMS, as_json
from mt_service.schemas import DetectAnswer, DetectRequest

router = APIRouter(route_class=DirectRoute)


@router.post("/v1/detect", response_model=DetectAnswer, responses=PROBLEMS)
async def detect_language(wish: DetectRequest, request: Request) -> Response:
    """Tell the language of a text, among those that are served; its first 300 characters count."""
    candidates = writers(request.app.state.registry)
    if not candidates:
        raise RefusedError(422, "cannot_detect", UNABLE)
    with admitted(request) as client:
        found = await detect(candidates, wish.text, request.app.state.settings.deadline_seconds, client)
    return as_json({"languages": [{**one._asdict(), "probability": round(one.probability, 4)} for one in found]})
