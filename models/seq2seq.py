"""The encoder-decoder network.

Legend: B sentences, N rows (sentences times beam), S source and T target positions, D width, V vocabulary.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from data.config import check
from models.cells.base import RecurrentCell
from models.config import ModelConfig
from models.decoder import DecoderOutput, DecoderState, Memory, make_decoder
from models.dropout import dropout
from models.encoder import Encoder
from models.initialize import embedding_weight


def kept_tensors(network: nn.Module) -> dict[str, Tensor]:
    """All that makes a network what it is, tied tensors once, without gradients.

    What training may change are its parameters; what it never touches, such as reservoirs, are its buffers.
    """
    return {name: part.detach() for name, part in (*network.named_parameters(), *network.named_buffers())}


class Seq2Seq(nn.Module):
    """Embeddings, encoder, decoder and output layer.

    Raises:
        UserError: when the configuration has no vocabulary yet.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        check(config.vocabulary_size >= 1, "'model.vocabulary_size' is not set; it comes from the tokenizer")
        self.config = config
        self.source_weight = embedding_weight(config.vocabulary_size, config.width)
        self.target_weight = embedding_weight(config.vocabulary_size, config.width)
        self.output_weight = embedding_weight(config.vocabulary_size, config.width)
        self.output_bias = nn.Parameter(torch.zeros(config.vocabulary_size)) if config.output_bias else None
        self.encoder = Encoder(config)
        self.decoder = make_decoder(config)
        if config.recurrent_start != "auto":
            for cell in self.modules():
                if isinstance(cell, RecurrentCell):
                    cell.restart(config.recurrent_start)
        self.tie()

    def tie(self) -> None:
        """Make the tied embeddings one parameter (Press and Wolf 2017); also after loading."""
        if self.config.tie == "three_way":
            self.target_weight = self.source_weight
        if self.config.tie in ("three_way", "target"):
            self.output_weight = self.target_weight

    def embed(self, weight_VD: Tensor, token_BS: Tensor, first_kept: int) -> Tensor:
        """Embeddings [B, S, D]; the first `first_kept` words are never dropped whole (they steer)."""
        rates = self.config.dropout
        embedded_BSD = functional.embedding(token_BS, weight_VD)
        if self.training and rates.word:
            keep_BS = torch.rand(token_BS.shape, device=token_BS.device) >= rates.word
            keep_BS[:, :first_kept] = True
            embedded_BSD = embedded_BSD * keep_BS[..., None]
        return dropout(embedded_BSD, rates.embedding, self.training)

    def encode(self, source_BS: Tensor, source_length_B: Tensor) -> tuple[Memory, DecoderState]:
        """What the decoder needs of the sources: memory (one row per sentence) and its first state.

        Args:
            source_BS: token ids, padded on the right with any id.
            source_length_B: tokens of each row, at least 1.
        """
        embedded_BSD = self.embed(self.source_weight, source_BS, 1)
        encoded_BSD = self.encoder(embedded_BSD, source_length_B)
        position_1S = torch.arange(source_BS.shape[1], device=source_BS.device)[None]
        padding_BS = position_1S >= source_length_B[:, None]
        bias_BS = torch.zeros_like(padding_BS, dtype=encoded_BSD.dtype).masked_fill(padding_BS, float("-inf"))
        return self.decoder.start(encoded_BSD, bias_BS)

    def decode(self, target_NT: Tensor, memory: Memory, state: DecoderState) -> DecoderOutput:
        """Read T target words per row, N being a multiple of the memory's sentences."""
        output: DecoderOutput = self.decoder(self.embed(self.target_weight, target_NT, 1), memory, state)
        return output

    def logits(self, hidden_ND: Tensor) -> Tensor:
        """Unnormalised log-probabilities [N, V] of the next word."""
        return functional.linear(hidden_ND, self.output_weight, self.output_bias)

    def forward(self, source_BS: Tensor, source_length_B: Tensor, target_input_BT: Tensor) -> Tensor:
        """Teacher forcing: vectors [B, T, D] for the output layer, which the loss applies itself."""
        memory, state = self.encode(source_BS, source_length_B)
        return self.decode(target_input_BT, memory, state).hidden_NTD
