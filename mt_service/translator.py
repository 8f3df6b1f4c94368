"""Text to ids and back: the only place that knows both.

A text is split into sentences; each is normalised, encoded and searched for; the translations are put together with
the white space that stood between the sentences.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, NamedTuple

from data.normalize import normalize
from data.segment import LONGEST, Segment, split
from models.bundle import Bundle
from models.info import BundleInfo
from models.search import Hypothesis
from mt_service.alignment import Link, Span, link_words, word_of_piece, words_of
from mt_service.engine.interface import Job
from mt_service.engine.worker import Worker

LONGEST_IDS = 200  # of what is searched for at once; a longer sentence is cut
WINDOW = 4096  # lines that the offline path sorts by length
FOREVER = float("inf")


@dataclass(frozen=True)
class Options:
    """How to translate; None takes the bundle's own default."""

    source: str
    target: str
    beam: int | None = None
    n_best: int = 1
    length_penalty: float | None = None
    alignments: bool = False
    split: bool = True  # into sentences


class Alternative(NamedTuple):
    """One of the n best translations of a text."""

    text: str
    score: float


class Alignment(NamedTuple):
    """Links between words, which are given as spans of characters of the source text and of the translation."""

    source_words: list[Span]
    target_words: list[Span]
    links: list[Link]


class Translation(NamedTuple):
    """A translated text."""

    text: str
    score: float  # length-normalised log-probability; the mean over sentences
    alternatives: list[Alternative]  # the n best, the translation itself first
    alignment: Alignment | None
    tokens: int  # of the translation, an end of sentence counted for each
    sentences: int  # that were searched for
    warnings: list[str]


class Piece(NamedTuple):
    """A part of a text that is searched for at once."""

    text: str  # as it stands in the source
    start: int  # its first character there
    separator: str  # what follows it
    ids: tuple[int, ...]  # tag, pieces, eos; empty where there is nothing to translate


class Plan(NamedTuple):
    """A text made ready for the engine."""

    pieces: list[Piece]
    warnings: list[str]


class Translator:
    """One bundle with its engine.

    Args:
        bundle: tokenizer and description.
        worker: owns the engine.
    """

    def __init__(self, bundle: Bundle, worker: Worker) -> None:
        self.bundle, self.worker = bundle, worker
        self.names = itertools.count()

    @property
    def info(self) -> BundleInfo:
        """The bundle's description."""
        return self.bundle.info

    def plan(self, text: str, options: Options) -> Plan:
        """Split a text and encode its parts."""
        plan, start = Plan([], []), 0
        for segment in split(text, len(text) + 1) if options.split else whole(text):
            parts = self.cut(segment, options.target)
            if len(parts) > 1:
                length = len(segment.text)
                plan.warnings.append(
                    f"a sentence of {length} characters was too long and was cut into {len(parts)} parts"
                )
            for part, ids in parts:
                plan.pieces.append(Piece(part.text, start, part.separator, ids))
                start += len(part.text) + len(part.separator)
        return plan

    def cut(self, segment: Segment, target: str) -> list[tuple[Segment, tuple[int, ...]]]:
        """Encode a sentence; as long as it is too long, cut it in half at the best place."""
        clean = normalize(segment.text)
        ids = tuple(self.bundle.tokenizer.encode_source(clean, target)) if clean else ()
        length = len(segment.text)
        if length < 2 or (len(ids) <= LONGEST_IDS and length <= LONGEST):
            return [(segment, ids)]
        *parts, last = split(segment.text, (length + 1) // 2)
        parts.append(Segment(last.text, last.separator + segment.separator))
        return [encoded for part in parts for encoded in self.cut(part, target)]

    def job(self, piece: Piece, options: Options) -> Job:
        """What the engine is asked for."""
        beam = options.beam or self.info.beam
        alpha = self.info.length_penalty if options.length_penalty is None else options.length_penalty
        return Job(piece.ids, beam, min(options.n_best, beam), alpha, alignments=options.alignments)

    def submit(self, name: Any, plans: Sequence[Plan], options: Options, deadline: float) -> list[Future[Any] | None]:
        """Ask the engine for all pieces; None stands where there is nothing to translate."""
        pieces = [piece for plan in plans for piece in plan.pieces]
        jobs = [self.job(piece, options) for piece in pieces if piece.ids]
        futures = iter(self.worker.submit(name, jobs, deadline))
        return [next(futures) if piece.ids else None for piece in pieces]

    async def translate(self, texts: Sequence[str], options: Options, seconds: float = FOREVER) -> list[Translation]:
        """Translate texts; when this task is cancelled, the engine stops within one step.

        Args:
            texts: any text; nothing is refused.
            options: languages and search.
            seconds: that it may take.
        Raises:
            QueueFullError, DrainingError, DeadlineError, EngineError.
        """
        plans = await asyncio.to_thread(lambda: [self.plan(text, options) for text in texts])
        name = next(self.names)
        futures = self.submit(name, plans, options, time.monotonic() + seconds)
        try:
            found = [None if future is None else await asyncio.wrap_future(future) for future in futures]
        except BaseException:
            self.worker.cancel(name)
            raise
        return self.assemble(plans, found, options)

    def translate_lines(self, lines: Iterable[str], options: Options) -> Iterator[Translation]:
        """Translate a stream of lines in order, keeping the engine full; memory does not grow with the stream."""
        under_way: deque[tuple[list[Plan], list[Future[Any] | None]]] = deque()
        remaining = iter(lines)
        while window := [self.plan(line, options) for line in itertools.islice(remaining, WINDOW)]:
            under_way.append((window, self.submit_sorted(window, options)))
            if len(under_way) == 2:
                yield from self.collect(*under_way.popleft(), options)
        while under_way:
            yield from self.collect(*under_way.popleft(), options)

    def submit_sorted(self, plans: Sequence[Plan], options: Options) -> list[Future[Any] | None]:
        """Ask for the longest pieces first, so that neighbours in the batch need little padding."""
        pieces = [piece for plan in plans for piece in plan.pieces]
        order = sorted((i for i, piece in enumerate(pieces) if piece.ids), key=lambda i: -len(pieces[i].ids))
        jobs = [self.job(pieces[i], options) for i in order]
        futures: list[Future[Any] | None] = [None] * len(pieces)
        for i, future in zip(order, self.worker.submit(next(self.names), jobs, FOREVER), strict=True):
            futures[i] = future
        return futures

    def collect(self, plans: list[Plan], futures: list[Future[Any] | None], options: Options) -> Iterator[Translation]:
        """Wait for the pieces of one text after the other."""
        waiting = iter(futures)
        for plan in plans:
            found = [
                None if future is None else future.result() for future in itertools.islice(waiting, len(plan.pieces))
            ]
            yield from self.assemble([plan], found, options)

    def assemble(self, plans: Sequence[Plan], found: Sequence[Any], options: Options) -> list[Translation]:
        """Translations of whole texts from the n-best lists of their pieces."""
        results = iter(found)
        return [self.put_together(plan, list(itertools.islice(results, len(plan.pieces))), options) for plan in plans]

    def put_together(self, plan: Plan, found: Sequence[Sequence[Hypothesis] | None], options: Options) -> Translation:
        """One text from its pieces, with the white space that stood between them."""
        decode = self.bundle.tokenizer.decode
        lists = [[decode(hypothesis.tokens) for hypothesis in one] if one else [""] for one in found]
        searched = [one for one in found if one]
        ranks = max((len(one) for one in searched), default=1)
        texts = [
            "".join(
                one[min(rank, len(one) - 1)] + piece.separator for one, piece in zip(lists, plan.pieces, strict=True)
            )
            for rank in range(ranks)
        ]
        scores = [
            sum(one[min(rank, len(one) - 1)].score for one in searched) / max(1, len(searched)) for rank in range(ranks)
        ]
        tokens = sum(len(one[0].tokens) + 1 for one in searched)
        warnings = plan.warnings + [
            "a sentence was cut off at the length limit" for one in searched if not one[0].complete
        ]
        alternatives = [Alternative(text, score) for text, score in zip(texts, scores, strict=True)]
        alignment = self.align(plan, found) if options.alignments else None
        return Translation(texts[0], scores[0], alternatives, alignment, tokens, len(searched), warnings)

    def align(self, plan: Plan, found: Sequence[Sequence[Hypothesis] | None]) -> Alignment:
        """Word links of the best translation; a piece whose words cannot be matched up has none."""
        alignment, position = Alignment([], [], []), 0
        for piece, one in zip(plan.pieces, found, strict=True):
            text = self.bundle.tokenizer.decode(one[0].tokens) if one else ""
            if one and one[0].alignment is not None:
                self.link(alignment, piece, one[0], text, position)
            position += len(text) + len(piece.separator)
        return alignment

    def link(self, alignment: Alignment, piece: Piece, best: Hypothesis, text: str, position: int) -> None:
        """Add one piece's words and links to those of its text."""
        tokenizer = self.bundle.tokenizer
        source_words, target_words = words_of(piece.text, piece.start), words_of(text, position)
        source, target = word_of_piece(tokenizer.pieces(piece.ids[1:-1])), word_of_piece(tokenizer.pieces(best.tokens))
        if max(source, default=-1) + 1 == len(source_words) and max(target, default=-1) + 1 == len(target_words):
            first_source, first_target = len(alignment.source_words), len(alignment.target_words)
            weights = [row[1:-1] for row in best.alignment or ()]
            alignment.links.extend(
                Link(link.source + first_source, link.target + first_target, link.weight)
                for link in link_words(source, target, weights)
            )
        alignment.source_words.extend(source_words)
        alignment.target_words.extend(target_words)

    def retire(self, seconds: float) -> None:
        """Finish what runs, then stop, without making anybody wait."""

        def stop() -> None:
            self.worker.drain(seconds)
            self.worker.close()

        threading.Thread(target=stop, name="retire", daemon=True).start()


def whole(text: str) -> list[Segment]:
    """A text as one sentence, white space at its ends aside."""
    body = text.strip()
    start = text.find(body)
    return [Segment("", text[:start]), Segment(body, text[start + len(body) :])]
