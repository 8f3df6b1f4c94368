"""What is told of bodies that are wrong, and that this takes no time."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from mt_service.problems import RefusedError, checking_body
from mt_service.routes.libre import Translation
from mt_service.schemas import DetectRequest, TranslateRequest, Wish

WISH = {"text": "ba", "target": "bb"}
MANY = 1000


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (TranslateRequest, {**WISH, "text": [1] * MANY}),
        (Translation, {**WISH, "q": [None] * MANY}),
        (TranslateRequest, {**WISH, "glossary": {str(term): 1 for term in range(MANY)}}),
        (DetectRequest, {"text": "ba", **{str(field): 1 for field in range(MANY)}}),
    ],
)
def test_of_many_mistakes_only_the_first_few_are_looked_for(model: type[Wish], body: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(json.dumps(body))
    assert caught.value.error_count() <= 2


def test_a_wrong_term_or_field_is_told_behind_right_ones() -> None:
    for change, field in (({"glossary": {"ba": "lo", "dei": 7}}, "glossary.dei"), ({"n_best": 1, "dei": 7}, "dei")):
        with pytest.raises(RefusedError) as caught, checking_body(TranslateRequest):
            TranslateRequest.model_validate_json(json.dumps({**WISH, **change}))
        assert caught.value.problem.field == field


@pytest.mark.parametrize(
    "change",
    [
        f'"beam": {"9" * 4000}',
        f'"n_best": {"9" * 4000}',
        f'"{"x" * 4000}": 1',
        f'"glossary": {{"{"x" * 4000}": 1}}',
    ],
)
def test_what_is_wrong_is_not_told_at_length(change: str) -> None:
    with pytest.raises(RefusedError) as caught, checking_body(TranslateRequest):
        TranslateRequest.model_validate_json(f'{{"text": "ba", "target": "bb", {change}}}')
    assert len(str(caught.value)) < 300
