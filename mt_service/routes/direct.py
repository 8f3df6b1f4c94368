"""Where requests for translations come in: by FastAPI's way, or past it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, get_type_hints

from fastapi import FastAPI, Request
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from mt_service.problems import HANDLERS, RefusedError, checking_body, contents, told
from mt_service.routes.translate import PROBLEMS, body_of, translate
from mt_service.schemas import TranslateAnswer, TranslateRequest

PATH = "/v1/translate"
Model = TypeVar("Model", bound=BaseModel)


async def read(model: type[Model], request: Request) -> Model:
    """A request's body.

    Raises:
        RefusedError: naming what is wrong.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        said = f"declared as {kind}" if kind else "not declared"
        raise RefusedError(
            415, "not_json", f"the body is {said}: send JSON, and the header Content-Type: application/json"
        )
    body = await body_of(request)
    if not body:
        raise RefusedError(422, "invalid", f"the body is empty; send a JSON object with {contents(model)}")
    with checking_body(model):
        return model.model_validate_json(body)


class DirectRoute(APIRoute):
    """Described as FastAPI describes routes, but its body goes from bytes to a model at once, by pydantic alone."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request: the endpoint, given its wish as a model and the request."""
        model, respond = get_type_hints(self.endpoint)["wish"], self.endpoint

        async def answer(request: Request) -> Response:
            response: Response = await respond(await read(model, request), request)
            return response

        return answer


class Direct:
    """ASGI middleware that answers translations itself: FastAPI's layers take a twentieth of a lone request's time.

    FastAPI has the route, too: to describe it, and to answer where a proxy puts something before its path.

    Args:
        app: answers all else.
        route: of translations, as FastAPI has it.
        around: what a translation is answered within.
    """

    def __init__(self, app: ASGIApp, route: BaseRoute, around: Callable[[ASGIApp], ASGIApp]) -> None:
        self.app, self.route = app, route
        self.direct = around(self.answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass on."""
        mine = scope["type"] == "http" and scope["path"] == PATH and scope["method"] == "POST"
        await (self.direct if mine else self.app)(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Translate, or tell why not."""
        scope["route"] = self.route
        request = Request(scope, receive)
        try:
            response = await translate(await read(TranslateRequest, request), request)
        except tuple(HANDLERS) as error:
            response = await told(request, error)
        await response(scope, receive, send)


def add_translation(app: FastAPI) -> BaseRoute:
    """Put the route into an application; return it."""
    app.router.add_api_route(
        PATH,
        translate,
        methods=["POST"],
        response_model=TranslateAnswer,
        responses=PROBLEMS,
        route_class_override=DirectRoute,
    )
    return app.routes[-1]
