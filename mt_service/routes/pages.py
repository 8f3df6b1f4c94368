"""The web page: files of this package, nothing from outside."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, Response

router = APIRouter(include_in_schema=False)
FOLDER = Path(__file__).parent.parent / "web"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@router.head("/")
@router.get("/")
async def index() -> Response:
    """The page."""
    return FileResponse(FOLDER / "index.html", media_type="text/html", headers={"Cache-Control": "no-cache"})


@router.head("/web/{name}")
@router.get("/web/{name}")
async def asset(name: str) -> Response:
    """What the page needs."""
    files = {path.name: path for path in FOLDER.iterdir() if path.suffix in KINDS}
    if name not in files:
        raise HTTPException(404, "there is no such file")
    path = files[name]
    return FileResponse(path, media_type=KINDS[path.suffix], headers={"Cache-Control": "no-cache"})
