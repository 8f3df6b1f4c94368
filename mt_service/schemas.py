"""Requests and answers of the HTTP interface, with the examples that OpenAPI shows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from mt_service.settings import WIDEST

AUTO = "auto"  # a source that is to be told
Language = Annotated[str, StringConstraints(min_length=1, max_length=16)]
Texts = str | Annotated[list[str], Field(fail_fast=True)]  # a body of nothing but mistakes takes no time


class Wish(BaseModel):
    """What is asked for; a known field that is null is as if it were not there, since many clients write so."""

    @model_validator(mode="before")
    @classmethod
    def without_nulls(cls, fields: Any) -> Any:
        """What is left of an object, of whose unknown fields only the first is told, and all else as it is."""
        if not isinstance(fields, dict):
            return fields
        known = cls.model_fields
        unknown = next(({name: value} for name, value in fields.items() if name not in known), {})
        return {name: fields[name] for name in known if fields.get(name) is not None} | unknown


class TranslateRequest(Wish):
    """What to translate, and how; a field that is null is as if it were not there."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "Ich habe keine Zeit.", "source": "de", "target": "en"}]},
    )

    text: Texts = Field(description="One text, or a list of texts; each may hold several sentences.")
    source: Language = Field(
        AUTO,
        description="Language of the texts, such as `de`. By default it is told for each of them, short ones by all "
        "together, and what is surely in the target language already stays as it is.",
    )
    target: Language = Field(description="Language to translate to, such as `en`.")
    format: Literal["text", "html"] = Field(
        "text",
        description="What the text is. Of HTML, tags go to where their words went; code, scripts, and what says "
        '`translate="no"`, stay as they are.',
    )
    beam: int | None = Field(
        None,
        ge=1,
        le=WIDEST,
        description="Hypotheses kept at each step; 1 is greedy. Default: the model's, or 12 to rerank.",
    )
    n_best: int = Field(
        1, ge=1, le=WIDEST, description="Translations to return of each text, best first; at most `beam`."
    )
    length_penalty: float | None = Field(None, ge=-5, le=5, description="Above 1 prefers longer translations.")
    glossary: dict[str, str] | None = Field(
        None,
        description="Words or phrases of the text, and what each is to be in the translation, such as "
        '`{"Kunde": "client"}`. Other forms of a word are words of their own. The glossary of the server comes second.',
    )
    rerank: bool = Field(
        False,
        description="Also read the whole beam backwards, by the model of the other direction, and prefer what makes "
        "the text likely: better, and several times slower. A `beam` of 1 leaves nothing to choose from.",
    )
    alignments: bool = Field(False, description="Return links between the words of text and translation.")
    scores: bool = Field(False, description="Return length-normalised log-probabilities, or what was reranked by.")

    @field_validator("glossary", mode="before")
    @classmethod
    def first_wrong_term(cls, terms: Any) -> Any:
        """Terms as they are, or the first that is no text, since no other is told."""
        if not isinstance(terms, dict):
            return terms
        return next(({term: wished} for term, wished in terms.items() if not isinstance(wished, str)), terms)

    @property
    def is_html(self) -> bool:
        """Whether the texts are HTML."""
        return self.format == "html"

    @property
    def terms(self) -> dict[str, str]:
        """The terms of the glossary, or none."""
        return self.glossary or {}

    @property
    def texts(self) -> list[str]:
        """The texts as a list."""
        return [self.text] if isinstance(self.text, str) else self.text


class WordSpan(BaseModel):
    """Characters of a text: `start` is the first, `end` the one after the last."""

    start: int
    end: int


class WordLink(BaseModel):
    """How much a word of the translation looked at a word of the text."""

    source: int = Field(description="Index into source_words.")
    target: int = Field(description="Index into target_words.")
    weight: float = Field(description="Share of the attention of the target word, 0 to 1.")


class UnsurePassage(BaseModel):
    """A sentence that the model is unsure of, as characters of the text, and its translation."""

    source_start: int
    source_end: int
    target_start: int
    target_end: int


class WordAlignment(BaseModel):
    """Words of both texts, links between them, and sentences that the model is unsure of."""

    source_words: list[WordSpan]
    target_words: list[WordSpan]
    links: list[WordLink]
    unsure: list[UnsurePassage]


class AlternativeText(BaseModel):
    """One of the n best translations."""

    text: str
    score: float | None = None


class TranslatedText(BaseModel):
    """The translation of one text."""

    text: str
    source: str | None = Field(None, description="The language of the text, where that was to be told.")
    score: float | None = None
    alternatives: list[AlternativeText] | None = None
    alignment: WordAlignment | None = None
    warnings: list[str] | None = Field(
        default=None, description="What is lacking, was cut, or what the model is unsure of: there it may be wrong."
    )


class Usage(BaseModel):
    """What a request cost."""

    characters: int
    sentences: int
    tokens: int = Field(description="Subword tokens of the translations, ends of sentences counted.")
    seconds: float


class TranslateAnswer(BaseModel):
    """Translations in the order of the texts."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "model": "de-en",
                    "source": "de",
                    "target": "en",
                    "translations": [{"text": "I don't have time."}],
                    "usage": {"characters": 20, "sentences": 1, "tokens": 8, "seconds": 0.03},
                }
            ]
        }
    )

    model: str = Field(description="Who translated; empty where nothing had to be.")
    source: str = Field(description="As it was asked for.")
    target: str
    translations: list[TranslatedText]
    usage: Usage


class DetectRequest(Wish):
    """Whose language is asked for."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"text": "Ich habe keine Zeit."}]})

    text: str = Field(description="Any text; its first 300 characters count.")


class LanguageGuess(BaseModel):
    """A language that a text may be in."""

    language: str
    probability: float = Field(description="Of the languages that are served, 0 to 1.")


class DetectAnswer(BaseModel):
    """Languages that a text may be in, the likeliest first."""

    languages: list[LanguageGuess]


class Direction(BaseModel):
    """A pair of languages that can be translated."""

    source: str
    target: str
    model: str
    beam: int
    length_penalty: float
    glossary: bool = Field(description="Whether it can follow a glossary.")


class LimitsAnswer(BaseModel):
    """What a request may ask for."""

    texts: int
    characters: int
    terms: int
    beam: int
    n_best: int


class LanguagesAnswer(BaseModel):
    """All directions, and the limits of requests."""

    directions: list[Direction]
    limits: LimitsAnswer
    detection: bool = Field(description="Whether `/v1/detect` tells the languages of texts apart.")


class Problem(BaseModel):
    """Why a request was not answered."""

    code: str
    message: str
    field: str | None = None
    limit: int | float | None = None


class ProblemAnswer(BaseModel):
    """The body of every answer that is not a success."""

    error: Problem
