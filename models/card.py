"""The model card: what people read before they use a bundle (after Mitchell et al. 2019)."""

from __future__ import annotations

from models.info import BundleInfo


def model_card(info: BundleInfo, storage: str, parameters: int, vocabulary: int) -> str:
    """A card in Markdown."""
    sections = [
        f"# {info.name}",
        f"Machine translation, {', '.join(info.directions)}: a recurrent encoder-decoder with attention, "
        f"{parameters:,} parameters, {vocabulary:,} subword pieces, matrices stored as {storage}.",
        "## Scores",
        scores_table(info) or "None measured.",
        "## Data and attribution",
        info.attribution or "Not stated.",
        f"Licence: {info.licence or 'not stated'}.",
        "## Known weaknesses",
        "\n".join(f"- {note}" for note in info.notes) or "None stated.",
        "## Training",
        "\n".join(f"- {key}: {value}" for key, value in info.training.items() if not isinstance(value, dict | list))
        or "Not stated.",
        "The whole recipe, data sums and versions are in config.json.",
    ]
    return "\n\n".join(sections) + "\n"


def scores_table(info: BundleInfo) -> str:
    """Scores as a Markdown table, signatures included."""
    if not info.scores:
        return ""
    rows = [
        f"| {score.set} | {score.direction} | {score.metric} {score.score:.2f} | {score.beam} "
        f"| {score.length_penalty:g} | `{score.signature}` |"
        for score in info.scores
    ]
    head = ["| set | direction | score | beam | length penalty | signature |", "|---|---|---|---|---|---|"]
    return "\n".join([*head, *rows])
