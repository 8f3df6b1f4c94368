"""SentencePiece: training a joint vocabulary, and text to ids and back."""

from __future__ import annotations

import io
import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import sentencepiece

from data.capitals import lowered, raised
from data.config import check
from data.errors import UserError
from data.files import atomic
from data.subwords import sampler

PAD, UNK, BOS, EOS = 0, 1, 2, 3
FIRST_PLACEHOLDER = 0xE000
MOST_PLACEHOLDERS = 64
PLACEHOLDERS = tuple(chr(FIRST_PLACEHOLDER + i) for i in range(MOST_PLACEHOLDERS))
CAPITALS = chr(FIRST_PLACEHOLDER + MOST_PLACEHOLDERS)  # behind a word in small letters that stands there in capitals
LEAST = 300  # ids of a vocabulary: bytes, special ones, and a few pieces
LONGEST_LINE = 16_384  # bytes; SentencePiece leaves longer lines out of its training
TRAINING_THREADS = 4  # a constant, because unigram models depend on it
TAG = re.compile(r"<2(\w+)>")


@dataclass(frozen=True)
class TokenizerConfig:
    """How the vocabulary is learned; `vocabulary_size` counts every id, special ones and 256 bytes included.

    With `mark_capitals`, words in capitals are those in small letters with a mark of their own (see data.capitals).
    """

    kind: Literal["bpe", "unigram"] = "bpe"
    vocabulary_size: int = 8000
    character_coverage: float = 0.9995
    placeholders: int = 8
    mark_capitals: bool = False
    sample_sentences: int = 1_000_000

    def __post_init__(self) -> None:
        check(self.vocabulary_size >= LEAST, f"vocabulary_size must be {LEAST} or more, but is {self.vocabulary_size}")
        check(0.9 <= self.character_coverage <= 1, "character_coverage must lie between 0.9 and 1")
        check(0 <= self.placeholders <= MOST_PLACEHOLDERS, f"placeholders must lie between 0 and {MOST_PLACEHOLDERS}")
        check(self.sample_sentences >= 1, "sample_sentences must be 1 or more")


def train_tokenizer(
    lines: Iterable[str], languages: Sequence[str], config: TokenizerConfig, path: Path, seed: int
) -> None:
    """Learn a SentencePiece model from normalised lines and write it to `path`.

    Raises:
        UserError: if the text is too small for the vocabulary, naming the size that would fit.
    """
    model = io.BytesIO()
    sample = reservoir(lines, config.sample_sentences, seed)
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter([lowered(line, CAPITALS) for line in sample] if config.mark_capitals else sample),
            model_writer=model,
            model_type=config.kind,
            vocab_size=config.vocabulary_size,
            character_coverage=config.character_coverage,
            byte_fallback=True,
            split_digits=True,
            normalization_rule_name="identity",
            pad_id=PAD,
            unk_id=UNK,
            bos_id=BOS,
            eos_id=EOS,
            control_symbols=[tag(language) for language in languages],
            user_defined_symbols=symbols(config),
            max_sentence_length=LONGEST_LINE,
            num_threads=TRAINING_THREADS,
            minloglevel=2,
        )
    except (RuntimeError, ValueError) as error:
        raise explain(error, config) from None
    with atomic(path) as temporary:
        temporary.write_bytes(model.getvalue())


def symbols(config: TokenizerConfig) -> list[str]:
    """The pieces that stand for something else than themselves."""
    return [*PLACEHOLDERS[: config.placeholders], *([CAPITALS] if config.mark_capitals else [])]


def tag(language: str) -> str:
    """The direction tag that asks for a target language."""
    return f"<2{language}>"


def reservoir(lines: Iterable[str], size: int, seed: int) -> list[str]:
    """Sample `size` of the non-empty lines without knowing their number (all, if there are no more)."""
    rng = random.Random(seed)
    kept: list[str] = []
    for count, line in enumerate(line for line in lines if line):
        if count < size:
            kept.append(line)
        elif (place := rng.randrange(count + 1)) < size:
            kept[place] = line
    return kept


def explain(error: Exception, config: TokenizerConfig) -> UserError:
    """Turn SentencePiece's complaints about the vocabulary size into a sentence with a mend."""
    size = f"tokenizer.vocabulary_size = {config.vocabulary_size}"
    if most := re.search(r"Vocabulary size too high.*<= (\d+)", str(error)):
        mend = f"set it to {most[1]} or less" if int(most[1]) >= LEAST else "there must be more text"
        return UserError(f"the corpus is too small for {size}: {mend}")
    if least := re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error)):
        return UserError(f"the corpus needs more than {size}: set it to {least[1]} or more")
    return UserError(f"SentencePiece cannot learn a vocabulary from this corpus: {error}")


class Tokenizer:
    """Text to piece ids and back; immutable, safe to share between threads."""

    pad_id, unk_id, bos_id, eos_id = PAD, UNK, BOS, EOS

    def __init__(self, processor: sentencepiece.SentencePieceProcessor) -> None:
        self._processor = processor
        controls = [processor.id_to_piece(i) for i in range(len(processor)) if processor.is_control(i)]
        self.languages = tuple(match[1] for match in map(TAG.fullmatch, controls) if match)
        self.placeholders = tuple(symbol for symbol in PLACEHOLDERS if processor.piece_to_id(symbol) != UNK)
        self.marks_capitals = processor.piece_to_id(CAPITALS) != UNK
        self._sampler = lru_cache(1)(lambda alpha: sampler(processor, alpha))

    @cached_property
    def characters(self) -> frozenset[str]:
        """The characters that are spelled without bytes."""
        ids = (i for i in range(EOS + 1, len(self)) if not self._processor.is_byte(i))
        return frozenset(" ").union(*map(self._processor.id_to_piece, ids))

    @cached_property
    def lettered(self) -> frozenset[int]:
        """The ids of pieces with a letter, and of bytes, which spell rare ones."""
        ids = range(EOS + 1, len(self))
        named = ((i, self._processor.id_to_piece(i)) for i in ids if not self._processor.is_control(i))
        return frozenset(i for i, piece in named if self._processor.is_byte(i) or any(map(str.isalpha, piece)))

    @classmethod
    def load(cls, path: Path) -> Tokenizer:
        """Read a model file.

        Raises:
            UserError: if the file is missing, is no SentencePiece model or was made with other special ids.
        """
        try:
            processor = sentencepiece.SentencePieceProcessor(model_proto=path.read_bytes())
            made = cls(processor)
        except (OSError, RuntimeError, ValueError) as error:  # pieces that are no UTF-8 among them
            raise UserError(f"cannot read the tokenizer {path}: {error}") from None
        ids = (processor.pad_id(), processor.unk_id(), processor.bos_id(), processor.eos_id())
        check(ids == (PAD, UNK, BOS, EOS), f"{path} has the ids {ids} for pad, unk, bos, eos; they must be 0, 1, 2, 3")
        return made

    def __len__(self) -> int:
        return len(self._processor)

    def tag_id(self, language: str) -> int:
        """The id of the tag that asks for `language`; UserError, naming the known languages, if there is none."""
        if language not in self.languages:
            raise UserError(f"unknown language '{language}'; the tokenizer knows: {', '.join(self.languages)}")
        return int(self._processor.piece_to_id(tag(language)))

    def encode(self, text: str) -> list[int]:
        """The piece ids of a normalised text, without tag, bos or eos."""
        ids: list[int] = self._processor.encode(self.spelled(text))
        return ids

    def spelled(self, text: str) -> str:
        """A normalised text as the vocabulary has it."""
        return lowered(text, CAPITALS) if self.marks_capitals else text

    def encode_batch(
        self, texts: Sequence[str], alpha: float = 0.0, rng: random.Random | None = None
    ) -> list[list[int]]:
        """Encode many normalised texts on one core.

        With `alpha` > 0 the pieces are sampled (see data.subwords.sampler): `rng` must be given, and decides alone.
        """
        texts = [self.spelled(text) for text in texts]
        if alpha > 0:
            if rng is None:
                raise ValueError("sampling needs a generator")
            encode = self._sampler(alpha)
            return [encode(text, rng) for text in texts]
        ids: list[list[int]] = self._processor.encode(texts, num_threads=1)
        return ids

    def encode_source(self, text: str, target: str) -> list[int]:
        """The ids that an encoder reads: the tag of the target language, the pieces, eos."""
        return [self.tag_id(target), *self.encode(text), EOS]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of piece ids; pad, bos, eos and tags are skipped."""
        text: str = self._processor.decode(list(ids))
        return raised(text, CAPITALS)

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """The strings of piece ids, control ids included."""
        return [self._processor.id_to_piece(i) for i in ids]
