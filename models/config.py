"""Configuration of every network, checked when made."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from data.config import check


def check_rate(name: str, rate: float) -> None:
    """A probability of dropping something must leave something."""
    check(0.0 <= rate < 1.0, f"'{name}' must be at least 0 and below 1, but is {rate}")


DEEPEST = 256  # layers of a stack


@dataclass(frozen=True)
class EncoderConfig:
    """A stack of (bidirectional) recurrent blocks over the source, or a bag of words."""

    cell: str = "lstm"  # a name registered in models/cells
    layers: int = 2  # 0 leaves a bag of words: the embeddings are the encodings
    hidden: int = 128  # units per direction
    bidirectional: bool = True  # the second direction reads each sentence from its own last token
    residual: bool = True  # x + dropout(rnn(norm x)); false is the classic plain stack
    normalize: bool = True  # layer normalisation before each block and after the last
    feed_forward: int = 0  # inner width of a position-wise feed-forward part per block; 0 leaves it out
    reverse_source: bool = False  # read each sentence from its end (Sutskever et al. 2014)

    def __post_init__(self) -> None:
        check(0 <= self.layers <= DEEPEST, f"'layers' must be from 0 to {DEEPEST}, but is {self.layers}")
        check(self.hidden >= 1, f"'hidden' must be at least 1, but is {self.hidden}")
        check(self.feed_forward >= 0, f"'feed_forward' must not be negative, but is {self.feed_forward}")
        of_layers = bool(self.feed_forward) or self.reverse_source
        check(self.layers > 0 or not of_layers, "'feed_forward' and 'reverse_source' need 'layers' of at least 1")


@dataclass(frozen=True)
class DecoderConfig:
    """Unidirectional recurrent blocks with attention."""

    arrangement: Literal["blocks", "input_feeding"] = "blocks"  # time-parallel blocks, or Luong's classic loop
    cell: str = "lstm"
    layers: int = 2
    hidden: int = 256
    attention_blocks: Literal["first", "all"] = "first"  # which blocks attend (arrangement = "blocks")
    feed_forward: int = 0  # as in the encoder (arrangement = "blocks")
    bridge: Literal["zero", "mean", "ends"] = "mean"  # the first state: zeros, or a projection of encodings

    def __post_init__(self) -> None:
        check(1 <= self.layers <= DEEPEST, f"'layers' must be from 1 to {DEEPEST}, but is {self.layers}")
        check(self.hidden >= 1, f"'hidden' must be at least 1, but is {self.hidden}")
        check(self.feed_forward >= 0, f"'feed_forward' must not be negative, but is {self.feed_forward}")


@dataclass(frozen=True)
class AttentionConfig:
    """How a decoder position looks at the source."""

    # fixed and mean are one summary for all positions: both ends (Cho et al. 2014), or the mean encoding (after
    # Auli et al. 2013); none leaves only the bridge (Sutskever et al. 2014)
    kind: Literal["multi_head", "additive", "dot", "general", "fixed", "mean", "none"] = "multi_head"
    heads: int = 4  # multi_head only

    def __post_init__(self) -> None:
        check(self.heads >= 1, f"'heads' must be at least 1, but is {self.heads}")


@dataclass(frozen=True)
class DropoutConfig:
    """Rates of the noise in training; all are off in evaluation."""

    residual: float = 0.1  # on what each block adds
    embedding: float = 0.1  # on single units of an embedding
    word: float = 0.0  # on whole words: the embedding becomes zero
    recurrent: float = 0.0  # DropConnect on the hidden-to-hidden weights (Merity et al. 2018)
    attention: float = 0.0  # on attention weights

    def __post_init__(self) -> None:
        for name in ("residual", "embedding", "word", "recurrent", "attention"):
            check_rate(name, getattr(self, name))


@dataclass(frozen=True)
class ReservoirConfig:
    """Echo state networks (cell = "esn"): what their random, frozen weights are drawn from."""

    connectivity: float = 0.05  # the share of other units that each unit hears; never fewer than one
    spectral_radius: float = 0.9  # the largest magnitude among the eigenvalues of W; below 1 a first state fades
    leak: float = 0.3  # the share of the state that each position renews
    input_scale: float = 1.0  # deviation of what a unit takes from an input whose numbers have unit variance
    bias_scale: float = 0.1  # deviation of the biases
    activation: Literal["tanh", "linear"] = "tanh"
    washout: int = 0  # positions at the start of a target that a ridge read-out does not learn from

    def __post_init__(self) -> None:
        check(0 < self.connectivity <= 1, f"'connectivity' must be above 0, up to 1, but is {self.connectivity}")
        check(self.spectral_radius >= 0, f"'spectral_radius' must not be negative, but is {self.spectral_radius}")
        check(0 < self.leak <= 1, f"'leak' must be above 0, up to 1, but is {self.leak}")
        check(self.input_scale > 0, f"'input_scale' must be above 0, but is {self.input_scale}")
        check(self.bias_scale >= 0, f"'bias_scale' must not be negative, but is {self.bias_scale}")
        check(self.washout >= 0, f"'washout' must not be negative, but is {self.washout}")


@dataclass(frozen=True)
class ClockworkConfig:
    """Clockwork RNNs (cell = "clockwork"): equal modules of units, each with a period of its own."""

    periods: tuple[int, ...] = (1, 2, 4, 8)  # positions between two ticks of a module, the fastest first

    def __post_init__(self) -> None:
        rising = all(fast < slow for fast, slow in pairwise(self.periods))
        good = bool(self.periods) and self.periods[0] >= 1 and rising
        check(good, f"'periods' must be one whole number above 0 or several that rise, but is {self.periods}")


class CellSettings(NamedTuple):
    """What a recipe says of cells beside their sizes; each cell takes what concerns it."""

    drop_connect: float = 0.0  # rate at which trained hidden-to-hidden weights are dropped
    reservoir: ReservoirConfig = ReservoirConfig()
    clockwork: ClockworkConfig = ClockworkConfig()


@dataclass(frozen=True)
class ModelConfig:
    """An encoder-decoder network; `vocabulary_size` is the tokenizer's and is set when both meet."""

    vocabulary_size: int = 0
    width: int = 256  # of embeddings and of what runs between blocks
    tie: Literal["three_way", "target", "none"] = "three_way"  # embeddings shared by source, target and output
    output_bias: bool = True
    language_model: bool = False  # ignore the source, on purpose
    recurrent_start: Literal["auto", "orthogonal", "identity", "sparse"] = "auto"  # of W_hh; auto is the cell's own
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    decoder: DecoderConfig = field(default_factory=DecoderConfig)
    attention: AttentionConfig = field(default_factory=AttentionConfig)
    dropout: DropoutConfig = field(default_factory=DropoutConfig)
    reservoir: ReservoirConfig = field(default_factory=ReservoirConfig)
    clockwork: ClockworkConfig = field(default_factory=ClockworkConfig)

    @property
    def cells(self) -> CellSettings:
        """What every cell is told."""
        return CellSettings(self.dropout.recurrent, self.reservoir, self.clockwork)

    def __post_init__(self) -> None:
        check(self.width >= 1, f"'width' must be at least 1, but is {self.width}")
        check(self.vocabulary_size >= 0, "'vocabulary_size' must not be negative")
        self._check_heads()
        self._check_sight()
        if self.attention.kind == "dot" and self.decoder.arrangement == "input_feeding":
            check(
                self.decoder.hidden == self.width,
                "attention 'dot' compares equal widths: set 'decoder.hidden' to 'width', or use 'general'",
            )

    def _check_heads(self) -> None:
        """Heads share the width of what asks: the stream between blocks, or the top cell of input feeding."""
        heads, fed = self.attention.heads, self.decoder.arrangement == "input_feeding"
        name, width = ("decoder.hidden", self.decoder.hidden) if fed else ("width", self.width)
        whole = self.attention.kind != "multi_head" or width % heads == 0
        check(whole, f"'{name}' ({width}) must be a multiple of 'attention.heads' ({heads})")

    def _check_sight(self) -> None:
        """The decoder must learn of the source somehow, unless it is asked not to."""
        bag, ends = self.encoder.layers == 0, self.attention.kind == "fixed" or self.decoder.bridge == "ends"
        check(
            not (bag and ends),
            "'encoder.layers' 0 leaves a bag of words, whose ends say nothing: take attention 'mean', not 'fixed', "
            "and 'decoder.bridge' mean, not ends",
        )
        blind = self.attention.kind == "none" and self.decoder.bridge == "zero"
        check(
            self.language_model or not blind,
            "attention 'none' with 'decoder.bridge' zero would hide the source: set the bridge to ends, or "
            "'language_model' to true",
        )
        sourceless = blind and bag and not self.encoder.normalize and self.tie == "three_way"
        check(
            sourceless or not self.language_model,
            "a 'language_model' has no part for a source: set 'attention.kind' to none, 'decoder.bridge' to zero, "
            "'encoder.layers' to 0, 'encoder.normalize' to false and 'tie' to three_way",
        )
