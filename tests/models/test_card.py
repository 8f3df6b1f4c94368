"""The model card tells what people must know."""

from models.card import model_card
from models.info import BundleInfo, Score


def test_the_card_names_scores_sources_and_weaknesses() -> None:
    score = Score("tatoeba test", "de-en", "BLEU", 45.678, "nrefs:1|case:mixed", 5, 1.2)
    info = BundleInfo(
        "small",
        ("de", "en"),
        ("de-en",),
        scores=(score,),
        training={"update": 7, "recipe": {"left": "out"}},
        licence="CC-BY 2.0 FR",
        attribution="tatoeba.org",
        notes=("Long sentences suffer.",),
    )
    card = model_card(info, "int8", 4_000_000, 6000)
    assert "| tatoeba test | de-en | BLEU 45.68 | 5 | 1.2 | `nrefs:1|case:mixed` |" in card
    assert "tatoeba.org" in card
    assert "Licence: CC-BY 2.0 FR." in card
    assert "- Long sentences suffer." in card
    assert "4,000,000 parameters, 6,000 subword pieces, matrices stored as int8" in card
    assert "- update: 7" in card
    assert "left" not in card


def test_what_is_not_known_is_said_to_be_so() -> None:
    card = model_card(BundleInfo("small", ("de", "en"), ("de-en",)), "float32", 1, 1)
    assert card.count("None") == 2
    assert card.lower().count("not stated") == 3
