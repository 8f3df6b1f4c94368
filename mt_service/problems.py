"""Errors of the HTTP interface: one envelope, one clear sentence."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from mt_service.engine.interface import DeadlineError, EngineError, OverloadError
from mt_service.schemas import Problem, ProblemAnswer

Handler: TypeAlias = Callable[[Request, Exception], Awaitable[Response]]
LONGEST = 80  # characters of a field's name that are told
CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_large", 422: "invalid"}


class RefusedError(Exception):
    """A request that is not answered; it becomes a response with this status."""

    def __init__(self, status: int, code: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.retry_after: float | None = details.pop("retry_after", None)
        self.problem = Problem(code=code, message=message, **details)


def problems(statuses: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    """What a route may answer beside what was asked for, for its description."""
    return {status: {"model": ProblemAnswer, "description": text} for status, text in statuses.items()}


def respond(status: int, problem: Problem, retry_after: float | None = None) -> Response:
    """A problem as JSON."""
    headers = {} if retry_after is None else {"Retry-After": str(max(1, math.ceil(retry_after)))}
    content = ProblemAnswer(error=problem).model_dump(exclude_none=True)
    return JSONResponse(content, status, headers=headers)


def field_name(location: Sequence[Any]) -> str:
    """A field as people write it: text[3]."""
    kinds = ("str", "list[str]") if location[:1] in (("text",), ("q",)) else ()
    parts = [*location[:1], *(part for part in location[1:] if part not in kinds)]
    name = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in parts).lstrip(".")
    return f"{name[:LONGEST]}…" if len(name) > LONGEST else name


def choose(errors: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The first field's finding; where a field may be of several kinds, the one that got deepest, or all of them."""
    of_field = [error for error in errors if error["loc"][:1] == errors[0]["loc"][:1]]
    depth = max(len(error["loc"]) for error in of_field)
    deepest = [error for error in of_field if len(error["loc"]) == depth]
    return {**deepest[0], "msg": ", or ".join(dict.fromkeys(str(error["msg"]).lower() for error in deepest))}


def contents(model: type[BaseModel]) -> str:
    """The fields that a body must have, as a part of a sentence."""
    return " and ".join(name for name, field in model.model_fields.items() if field.is_required())


def explain(error: Mapping[str, Any], model: type[BaseModel]) -> tuple[int, Problem]:
    """One of pydantic's findings about a body as a sentence that names the field and the limit."""
    name, kind, context = field_name(error["loc"]), error["type"], error.get("ctx", {})
    if kind == "json_invalid":
        return 400, Problem(code="bad_json", message=f"the body is no JSON: {context.get('error', 'it is malformed')}")
    if kind == "extra_forbidden":
        valid = ", ".join(model.model_fields)
        return 422, Problem(code="invalid", message=f"unknown field '{name}'; valid ones are: {valid}", field=name)
    if not name:
        return 422, Problem(code="invalid", message=f"the body must be a JSON object with {contents(model)}")
    if kind == "missing":
        return 422, Problem(code="invalid", message=f"field '{name}' is missing", field=name)
    limit = next((context[key] for key in ("ge", "le", "gt", "lt", "max_length", "min_length") if key in context), None)
    message = f"field '{name}': {error['msg']}"
    return 422, Problem(code="invalid", message=message, field=name or None, limit=limit)


async def on_refused(_request: Request, error: Exception) -> Response:
    """What a route refuses itself."""
    assert isinstance(error, RefusedError)
    return respond(error.status, error.problem, error.retry_after)


async def on_overload(_request: Request, error: Exception) -> Response:
    """A full queue, or a server that is about to stop."""
    assert isinstance(error, OverloadError)
    return respond(503, Problem(code="overloaded", message=str(error)), error.retry_after)


async def on_deadline(_request: Request, error: Exception) -> Response:
    """A request that took too long."""
    return respond(504, Problem(code="deadline", message=str(error)))


async def on_engine(_request: Request, _error: Exception) -> Response:
    """An engine that failed; what went wrong is in the server's log alone."""
    return respond(500, Problem(code="engine", message="the translation failed; it may work when sent again"))


async def on_http(_request: Request, error: Exception) -> Response:
    """Unknown paths and methods."""
    assert isinstance(error, HTTPException)
    problem = Problem(code=CODES.get(error.status_code, "error"), message=str(error.detail))
    answer = respond(error.status_code, problem)
    answer.headers.update(error.headers or {})  # Allow, where a method is refused
    return answer


HANDLERS: dict[type[Exception], Handler] = {  # which give every error the same envelope
    RefusedError: on_refused,
    OverloadError: on_overload,
    DeadlineError: on_deadline,
    EngineError: on_engine,
    HTTPException: on_http,
}


@contextmanager
def checking_body(model: type[BaseModel]) -> Iterator[None]:
    """Tell what is first found wrong with a body that is to become a model.

    Raises:
        RefusedError: for bad JSON and bad fields.
    """
    try:
        yield
    except ValidationError as error:
        status, problem = explain(choose(error.errors(include_url=False, include_input=False)), model)
        raise RefusedError(status, **problem.model_dump()) from None


async def told(request: Request, error: Exception) -> Response:
    """The answer to an error of a kind that is handled."""
    handler = next(HANDLERS[kind] for kind in type(error).__mro__ if kind in HANDLERS)
    return await handler(request, error)
