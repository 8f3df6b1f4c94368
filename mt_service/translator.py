"""Text to ids and back: the only place that knows both.

A text is split into sentences; each is normalised, encoded and searched for; the translations are put together with
the white space that stood between the sentences.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
import threading
import time
from collections import deque
from collections.abc import Hashable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import NamedTuple

from data.config import check
from data.literals import Masking
from data.normalize import normalize
from data.numbers import missing
from models.bundle import Bundle
from models.hypotheses import Hypothesis, SearchOptions
from models.info import BundleInfo
from mt_service.alignment import Link, Span, grouped, link_words, pinned, word_of_piece, words_of
from mt_service.engine.interface import Job
from mt_service.engine.worker import Worker
from mt_service.pieces import Piece, Plan, make_plan, separators
from mt_service.rerank import Reranker, beam_of, reordered

WINDOW = 4096  # lines of a stream that are asked for at once
FOREVER = float("inf")
ASKED_BACK = 512  # hypotheses that a request has read backwards at once
TOGETHER = 256  # lines of a stream that are reranked at once
AT_ONCE = 2000  # characters that take less time than handing them to a thread does
GRACE = 1.0  # seconds in which requests that found a translator just before it was replaced may still reach it

Found = Sequence[Hypothesis]


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


class Translator:
    """One bundle with its engine.

    Args:
        bundle: tokenizer and description.
        worker: owns the engine; the translator closes it.
    """

    def __init__(self, bundle: Bundle, worker: Worker) -> None:
        self.bundle, self.worker = bundle, worker
        self.names = itertools.count()
        self.maskings = {
            direction: Masking(bundle.tokenizer, bundle.placeholders, *direction.split("-"))
            for direction in bundle.info.directions
        }

    @property
    def info(self) -> BundleInfo:
        """The bundle's description."""
        return self.bundle.info

    def search_options(self, options: Options) -> SearchOptions:
        """The search that options ask for, with the bundle's defaults.

        Raises:
            UserError: for a direction that the bundle does not offer, or options that make no sense.
        """
        direction, offered = f"{options.source}-{options.target}", self.info.directions
        check(direction in offered, f"{self.info.name} does not translate {direction}, but {', '.join(offered)}")
        return self.info.search(options.beam, options.n_best, options.length_penalty, options.alignments)

    def search_for(self, options: Options, reverse: Translator | None) -> SearchOptions:
        """As `search_options`; a list that is to be reranked is as long as the beam."""
        if reverse is None:
            return self.search_options(options)
        beam = beam_of(self.info, options.beam, options.n_best, rerank=True)
        return self.search_options(dataclasses.replace(options, beam=beam, n_best=beam))

    def plan(self, texts: Iterable[str], options: Options) -> list[Plan]:
        """Make texts ready for the engine."""
        masking = self.maskings[f"{options.source}-{options.target}"]
        return [make_plan(self.bundle.tokenizer, masking, text, options.split) for text in texts]

    def submit(
        self, name: Hashable, plans: Sequence[Plan], search: SearchOptions, deadline: float, client: Hashable = None
    ) -> list[list[Future[Found] | None]]:
        """Ask the engine for all pieces; None stands where there is nothing to translate.

        A piece with literals or numbers gets a list as long as the beam, since not all hypotheses hold them.
        """
        longer = dataclasses.replace(search, n_best=search.beam)
        pieces = [piece for plan in plans for piece in plan.pieces if piece.ids]
        jobs = [Job(piece.ids, longer if piece.masked.exacting else search) for piece in pieces]
        futures = iter(self.worker.submit(name, jobs, deadline, client))
        return [[next(futures) if piece.ids else None for piece in plan.pieces] for plan in plans]

    async def translate(
        self,
        texts: Sequence[str],
        options: Options,
        seconds: float = FOREVER,
        client: Hashable = None,
        reverse: Translator | None = None,
    ) -> list[Translation]:
        """Translate texts; when this task is cancelled, the engine stops within one step.

        Args:
            texts: any text; nothing is refused.
            options: languages and search.
            seconds: that it may take.
            client: whose requests share a turn with each other; None makes the request a client of its own.
            reverse: translates back, if lists are to be reranked.
        Raises:
            UserError: for options that make no sense.
            QueueFullError, DrainingError, DeadlineError, EngineError: nothing was translated.
        """
        deadline, name = time.monotonic() + seconds, next(self.names)
        search = self.search_for(options, reverse)
        short = sum(map(len, texts)) <= AT_ONCE
        plans = self.plan(texts, options) if short else await asyncio.to_thread(self.plan, texts, options)
        with contextlib.nullcontext() if reverse is None else reverse.worker.awaited():
            futures = self.submit(name, plans, search, deadline, client)
            try:
                found = [[None if one is None else await outcome(one) for one in row] for row in futures]
            finally:
                self.worker.cancel(name)  # which does nothing when all is done
            if reverse is not None:
                found = await self.rerank(plans, found, options, reverse, deadline, client)
        return [self.put_together(plan, row, options) for plan, row in zip(plans, found, strict=True)]

    async def rerank(
        self,
        plans: Sequence[Plan],
        found: list[list[Found | None]],
        options: Options,
        reverse: Translator,
        deadline: float,
        client: Hashable,
    ) -> list[list[Found | None]]:
        """Have n-best lists read backwards, so many hypotheses at once, and order them anew."""
        reranker = self.reranker(reverse, options.source)
        jobs = await asyncio.to_thread(reranker.jobs, plans, found)
        name, answers = next(reverse.names), list[Found]()
        try:
            for start in range(0, len(jobs), ASKED_BACK):
                some = jobs[start : start + ASKED_BACK]
                asked = reverse.worker.submit(name, some, deadline, client, awaited=True)
                answers += [await outcome(one) for one in asked]
        finally:
            reverse.worker.cancel(name)
        return reordered(found, iter(answers))

    def translate_lines(self, lines: Iterable[str], options: Options) -> Iterator[Translation]:
        """Translate a stream of lines in order; see `translate_windows`."""
        remaining = iter(lines)
        return self.translate_windows(iter(lambda: list(itertools.islice(remaining, WINDOW)), []), options)

    def translate_windows(
        self, windows: Iterable[Sequence[str]], options: Options, reverse: Translator | None = None
    ) -> Iterator[Translation]:
        """Translate a stream in order, keeping the engine full; memory does not grow with the stream.

        Args:
            windows: texts that are asked for at once; while one window is translated, the next one is read. An empty
                one says that the next may take a while: what was read is answered first.
            options: languages and search.
            reverse: translates back, if lists are to be reranked.
        Raises:
            UserError: for options that make no sense.
            EngineError: when the engine fails.
        """
        search = self.search_for(options, reverse)
        under_way: deque[tuple[Hashable, list[Plan], list[list[Future[Found] | None]]]] = deque()
        try:
            for window in itertools.chain(windows, [()]):
                if window:
                    plans, name = self.plan(window, options), next(self.names)
                    under_way.append((name, plans, self.submit(name, plans, search, FOREVER, "lines")))
                while len(under_way) > (1 if window else 0):
                    _, plans, futures = under_way[0]
                    yield from self.collect(plans, futures, options, reverse)
                    under_way.popleft()
        finally:
            for asked, *_ in under_way:
                self.worker.cancel(asked)

    def collect(
        self,
        plans: Sequence[Plan],
        futures: Sequence[Sequence[Future[Found] | None]],
        options: Options,
        reverse: Translator | None,
    ) -> Iterator[Translation]:
        """Wait for the pieces of one text after the other."""
        found = ([one.result() if one else None for one in row] for row in futures)
        anew = found if reverse is None else self.reranked(zip(plans, found, strict=True), options, reverse)
        for plan, row in zip(plans, anew, strict=True):
            yield self.put_together(plan, row, options)

    def reranked(
        self, texts: Iterator[tuple[Plan, list[Found | None]]], options: Options, reverse: Translator
    ) -> Iterator[list[Found | None]]:
        """The n-best lists of a stream of texts in another order, some texts at a time."""
        reranker = self.reranker(reverse, options.source)
        while group := list(itertools.islice(texts, TOGETHER)):
            plans, found = zip(*group, strict=True)
            yield from reordered(found, ask_back(reverse, reranker.jobs(plans, found)))

    def reranker(self, reverse: Translator, source: str) -> Reranker:
        """What asks another translator for texts of the source language; it sees symbols where it knows them."""

        known = set(reverse.bundle.placeholders)

        def texts(piece: Piece, hypothesis: Hypothesis) -> tuple[str, str]:
            if piece.masked.targets and piece.masked.targets.keys() <= known:
                return piece.masked.text, self.raw(hypothesis)
            return normalize(piece.text), self.decode(piece, hypothesis)

        return Reranker(texts, reverse.bundle.tokenizer, source)

    def raw(self, hypothesis: Hypothesis) -> str:
        """A hypothesis as the network wrote it, symbols included."""
        return self.bundle.tokenizer.decode(hypothesis.tokens)

    def decode(self, piece: Piece, hypothesis: Hypothesis) -> str:
        """A hypothesis as one line of text; symbols and broken bytes that nobody asked for are left out."""
        return normalize(piece.masked.restored(self.raw(hypothesis)))

    def best(self, piece: Piece, found: Found, count: int) -> Found:
        """The first hypotheses of a list, those before others that hold all literals and no other numbers."""
        if piece.masked.exacting:
            found = sorted(found, key=lambda one: piece.masked.faults(self.raw(one)))
        return found[:count]

    def put_together(self, plan: Plan, lists: Sequence[Found | None], options: Options) -> Translation:
        """One text from its pieces, with the white space that stood between them."""
        pairs = list(zip(plan.pieces, lists, strict=True))
        found = [self.best(piece, one, options.n_best) if one else None for piece, one in pairs]
        searched, gaps = [one for one in found if one], separators(plan.pieces, options.target)
        alternatives = []
        for rank in range(max(map(len, searched), default=1)):
            chosen = [one[min(rank, len(one) - 1)] if one else None for one in found]
            parts = [self.spell(*part) for part in zip(plan.pieces, chosen, gaps, strict=True)]
            score = sum(one.score for one in chosen if one) / max(1, len(searched))
            alternatives.append(Alternative("".join(parts), score))
        tokens = sum(len(one[0].tokens) + 1 for one in searched)
        endless = sum(not one[0].complete for one in searched)
        warnings = [f"translations that grew too long and were cut off: {endless}"] if endless else []
        warnings += self.lost(plan, found, options.target)
        alignment = self.align(plan, found, gaps) if options.alignments else None
        best = alternatives[0]
        return Translation(
            best.text, best.score, alternatives, alignment, tokens, len(searched), plan.warnings + warnings
        )

    def spell(self, piece: Piece, hypothesis: Hypothesis | None, gap: str) -> str:
        """A piece's translation and what follows it; literals alone need no hypothesis."""
        return (self.decode(piece, hypothesis) if hypothesis else piece.masked.restored(piece.masked.text)) + gap

    def lost(self, plan: Plan, found: Sequence[Found | None], target: str) -> list[str]:
        """Warnings that name the literals and numbers which the translation does not hold as it should."""
        both = zip(plan.pieces, found, strict=True)
        pairs = [(piece.masked, self.raw(one[0])) for piece, one in both if one and piece.masked.exacting]
        literals = [text for masked, raw in pairs for text in masked.lost(raw)]
        numbers = [one for masked, raw in pairs for one in missing(masked.numbers, raw, target)]
        told = {"the translation lacks or repeats what it should hold once": literals}
        told |= {"numbers that the translation seems to lack": numbers}
        return [f"{what}: {', '.join(which)}" for what, which in told.items() if which]

    def align(self, plan: Plan, found: Sequence[Found | None], gaps: Sequence[str]) -> Alignment:
        """Word links of the best translation; a piece whose words cannot be matched up has none."""
        alignment, position = Alignment([], [], []), 0
        for piece, one, gap in zip(plan.pieces, found, gaps, strict=True):
            text = self.spell(piece, one[0] if one else None, gap)
            if one:
                self.link(alignment, piece, one[0], text, position)
            position += len(text)
        return alignment

    def link(self, alignment: Alignment, piece: Piece, best: Hypothesis, text: str, position: int) -> None:
        """Add one piece's words and links to those of its text."""
        tokenizer = self.bundle.tokenizer
        masked, raw = piece.masked, self.raw(best)
        source_words = grouped(words_of(piece.text, piece.start), masked.text, masked.sources)
        target_words = grouped(words_of(text, position), raw, masked.targets)
        source_pieces, target_pieces = tokenizer.pieces(piece.ids[1:-1]), tokenizer.pieces(best.tokens)
        source, target = word_of_piece(source_pieces), word_of_piece(target_pieces)
        if max(source, default=-1) + 1 == len(source_words) and max(target, default=-1) + 1 == len(target_words):
            first_source, first_target = len(alignment.source_words), len(alignment.target_words)
            rows = [row[1:-1] for row in best.alignment or ()]
            weights = pinned(rows, source_pieces, target_pieces, target, masked.targets)
            alignment.links.extend(
                Link(link.source + first_source, link.target + first_target, link.weight)
                for link in link_words(source, target, weights)
            )
        alignment.source_words.extend(source_words)
        alignment.target_words.extend(target_words)

    def retire(self, seconds: float) -> None:
        """Finish what runs, then stop, without making anybody wait."""

        def stop() -> None:
            threading.Event().wait(GRACE)
            self.worker.drain(seconds)
            self.worker.close()

        threading.Thread(target=stop, name="retire", daemon=True).start()


def ask_back(reverse: Translator, jobs: Sequence[Job]) -> Iterator[Found]:
    """Wait for answers, one after the other; when nobody wants them any more, they are no longer worked on."""
    name = next(reverse.names)
    asked = reverse.worker.submit(name, jobs, FOREVER, "lines")
    try:
        yield from (one.result() for one in asked)
    finally:
        reverse.worker.cancel(name)


async def outcome(future: Future[Found]) -> Found:
    """Wait for an engine's result in asyncio; `asyncio.wrap_future` does the same by way of many more calls."""
    loop = asyncio.get_running_loop()
    there: asyncio.Future[None] = loop.create_future()

    def note() -> None:
        if not there.done():
            there.set_result(None)

    def tell(_: Future[Found]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(note)

    future.add_done_callback(tell)
    await there
    return future.result()
