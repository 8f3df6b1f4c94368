"""The encoder: recurrent blocks over a padded batch of sources.

Legend: B sentences, S source positions, D width.
"""

from __future__ import annotations

from torch import Tensor, nn

from models.cells import make_cell
from models.config import CellSettings, EncoderConfig, ModelConfig
from models.dropout import Dropout
from models.initialize import linear
from models.recurrent import Recurrence, make_feed_forward, reversal_index, reverse


def make_recurrence(config: EncoderConfig, width: int, settings: CellSettings) -> Recurrence:
    """One layer's recurrence, in one or two directions."""
    cells = [make_cell(config.cell, width, config.hidden, settings) for _ in range(2 if config.bidirectional else 1)]
    return Recurrence(*cells)


class EncoderBlock(nn.Module):
    """Recurrence, projection to the width, and an optional feed-forward part."""

    def __init__(self, config: EncoderConfig, width: int, dropout: float, settings: CellSettings) -> None:
        super().__init__()
        self.residual = config.residual
        self.recurrence = make_recurrence(config, width, settings)
        self.norm = nn.LayerNorm(width) if config.normalize else nn.Identity()
        needs_projection = self.recurrence.output_size != width
        self.project = linear(self.recurrence.output_size, width) if needs_projection else nn.Identity()
        self.dropout = Dropout(dropout)
        self.feed_forward = make_feed_forward(width, config.feed_forward, dropout)

    def forward(self, stream_BSD: Tensor, index_BS: Tensor) -> Tensor:
        """[B, S, D] to [B, S, D]."""
        output_BSD: Tensor = self.dropout(self.project(self.recurrence(self.norm(stream_BSD), index_BS)))
        if self.residual:
            output_BSD = stream_BSD + output_BSD
        transformed_BSD: Tensor = self.feed_forward(output_BSD)
        return transformed_BSD


class Encoder(nn.Module):
    """A stack of blocks, maybe of none; the output has the model's width at every source position."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            EncoderBlock(config.encoder, config.width, config.dropout.residual, config.cells)
            for _ in range(config.encoder.layers)
        )
        self.norm = nn.LayerNorm(config.width) if config.encoder.normalize else nn.Identity()
        self.reverse_source = config.encoder.reverse_source

    def forward(self, embedded_BSD: Tensor, length_B: Tensor) -> Tensor:
        """Encode [B, S, D]; what stands at padding is undefined and must be masked.

        Encodings stand where their words do, also when the source is read from its end.
        """
        index_BS = reversal_index(length_B, embedded_BSD.shape[1])
        stream_BSD = reverse(embedded_BSD, index_BS) if self.reverse_source else embedded_BSD
        for block in self.blocks:
            stream_BSD = block(stream_BSD, index_BS)
        encoded_BSD: Tensor = self.norm(stream_BSD)
        return reverse(encoded_BSD, index_BS) if self.reverse_source else encoded_BSD
