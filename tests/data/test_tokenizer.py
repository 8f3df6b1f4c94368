import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Literal

import pytest
import sentencepiece

from data.config import build
from data.errors import UserError
from data.normalize import normalize
from data.tokenizer import Tokenizer, TokenizerConfig, reservoir, train_tokenizer

Kind = Literal["bpe", "unigram"]
TEXTS = ["Laufenka häuser 1998.", "Völlig neue Wörter: Qualitätsmerkmal!", "你好 😀 x", "\ue000 und \ue002.", "a", ""]


@pytest.fixture(scope="module", params=["bpe", "unigram"])
def model(request: pytest.FixtureRequest, lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp(request.param) / "tokenizer.model"
    train_tokenizer(lines, ["de", "en"], TokenizerConfig(request.param, 360, placeholders=4), path, seed=1)
    return path


@pytest.fixture(scope="module")
def trained(model: Path) -> Tokenizer:
    return Tokenizer.load(model)


def test_ids_have_their_fixed_places(trained: Tokenizer) -> None:
    assert trained.pieces(range(11)) == [
        "<pad>", "<unk>", "<s>", "</s>", "<2de>", "<2en>", "\ue000", "\ue001", "\ue002", "\ue003", "<0x00>"
    ]  # fmt: skip
    assert (trained.pad_id, trained.unk_id, trained.bos_id, trained.eos_id) == (0, 1, 2, 3)
    assert trained.languages == ("de", "en")
    assert trained.placeholders == ("\ue000", "\ue001", "\ue002", "\ue003")
    assert (trained.tag_id("de"), trained.tag_id("en")) == (4, 5)
    assert len(trained) == 360


def test_an_unknown_language_is_answered_with_the_known_ones(trained: Tokenizer) -> None:
    with pytest.raises(UserError, match="'fr'; the tokenizer knows: de, en"):
        trained.tag_id("fr")


@pytest.mark.parametrize("text", [*TEXTS, "\ue000\ue001 mitten\ue003drin", "▁ und _", "100 000,5"])
def test_text_comes_back(trained: Tokenizer, text: str) -> None:
    text = text if "\ue000" in text else normalize(text)
    assert trained.decode(trained.encode(text)) == text
    assert trained.decode(trained.encode_source(text, "en")) == text


@pytest.fixture(scope="module")
def marking(lines: list[str], tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("marking") / "tokenizer.model"
    config = TokenizerConfig("bpe", 360, placeholders=4, mark_capitals=True)
    train_tokenizer([*lines, *("NEIN" for _ in range(20))], ["de", "en"], config, path, seed=1)
    return Tokenizer.load(path)


def test_words_in_capitals_have_the_pieces_of_small_letters_and_a_mark(marking: Tokenizer) -> None:
    small, large = marking.encode("das nein"), marking.encode("das NEIN")
    assert large == [*small, marking.encode("XX")[-1]]
    assert marking.decode(large) == "das NEIN"
    assert marking.placeholders == ("\ue000", "\ue001", "\ue002", "\ue003")
    rng = random.Random(1)
    assert {marking.decode(marking.encode_batch(["das NEIN"], 0.5, rng)[0]) for _ in range(20)} == {"das NEIN"}


@pytest.mark.parametrize("text", [*TEXTS, "\ue000 IST DA!", "Im ZDF, der ARD und der EU-Kommission"])
def test_text_comes_back_with_capitals(marking: Tokenizer, text: str) -> None:
    assert marking.decode(marking.encode(text)) == text


def test_user_text_cannot_spell_special_pieces(trained: Tokenizer) -> None:
    ids = trained.encode("<2de> </s> <pad> <unk> <0x41>")
    assert not set(ids) & set(range(6))
    assert trained.decode(ids) == "<2de> </s> <pad> <unk> <0x41>"


def test_nothing_is_unknown_and_digits_stand_alone(trained: Tokenizer) -> None:
    assert trained.unk_id not in trained.encode("你好 😀 ℵ")
    assert trained.pieces(trained.encode("x 2013"))[-4:] == ["2", "0", "1", "3"]


def test_a_source_is_tag_pieces_eos(trained: Tokenizer) -> None:
    assert trained.encode_source("Hund", "en") == [5, *trained.encode("Hund"), 3]


def test_a_batch_is_encoded_like_single_texts(trained: Tokenizer) -> None:
    assert trained.encode_batch(TEXTS) == [trained.encode(text) for text in TEXTS]


def test_sampled_pieces_vary_and_spell_the_same_text(trained: Tokenizer) -> None:
    rng = random.Random(1)
    sampled = [trained.encode_batch(TEXTS, 0.3, rng) for _ in range(5)]
    for ids in sampled:
        assert [trained.decode(one) for one in ids] == TEXTS
    assert len({str(ids) for ids in sampled}) > 1


def test_sampling_without_a_generator_is_refused(trained: Tokenizer) -> None:
    with pytest.raises(ValueError, match="generator"):
        trained.encode_batch(["a"], 0.1)


SCRIPT = """
import random, sys
from pathlib import Path
from typing import Literal
from data.tokenizer import Tokenizer
tokenizer = Tokenizer.load(Path(sys.argv[1]))
print(tokenizer.encode_batch(["Der Hund läuft über die Brücke."] * 20, 0.3, random.Random(int(sys.argv[2]))))
"""


def sample_elsewhere(model: Path, seed: int) -> str:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", SCRIPT, str(model), str(seed)]
    environment = os.environ | {"PYTHONHASHSEED": "random", "PYTHONPATH": str(root)}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_every_process_samples_the_same_for_the_same_seed(model: Path) -> None:
    first, again, other = (sample_elsewhere(model, seed) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_a_model_depends_on_lines_and_seed_alone(lines: list[str], tmp_path: Path) -> None:
    config = TokenizerConfig(vocabulary_size=310, placeholders=0, sample_sentences=60)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train_tokenizer(iter(lines), ["de"], config, tmp_path / name, seed)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes() != (tmp_path / "c").read_bytes()


def test_a_reservoir_draws_every_line_equally_often() -> None:
    counts = dict.fromkeys("abcdefgh", 0)
    for seed in range(4000):
        for line in reservoir("abcdefgh", 2, seed):
            counts[line] += 1
    assert all(850 < count < 1150 for count in counts.values())
    assert reservoir(["a", "", "b"], 5, 0) == ["a", "b"]


@pytest.mark.parametrize("kind", ["bpe", "unigram"])
def test_too_large_a_vocabulary_is_answered_with_one_that_fits(kind: Kind, lines: list[str], tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.model"
    with pytest.raises(UserError, match=r"too small .* 5000: set it to \d+ or less") as caught:
        train_tokenizer(lines, ["de", "en"], TokenizerConfig(kind, 5000), path, 1)
    assert not path.exists()
    fitting = int(str(caught.value).split()[-3])
    train_tokenizer(lines, ["de", "en"], TokenizerConfig(kind, fitting), path, 1)
    assert len(Tokenizer.load(path)) == fitting


def test_too_small_a_vocabulary_is_answered_with_one_that_fits(tmp_path: Path) -> None:
    lines = ["".join(map(chr, range(0x4E00, 0x4F00)))] * 10
    with pytest.raises(UserError, match=r"set it to \d+ or more"):
        train_tokenizer(lines, ["zh"], TokenizerConfig(vocabulary_size=300), tmp_path / "m", 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocabulary_size": 200}, "vocabulary_size must be 300 or more, but is 200"),
        ({"character_coverage": 1.5}, "character_coverage"),
        ({"placeholders": 1000}, "placeholders"),
        ({"sample_sentences": 0}, "sample_sentences"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, int], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(TokenizerConfig, changes)


def test_a_missing_or_broken_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.model"):
        Tokenizer.load(tmp_path / "none.model")
    (tmp_path / "broken.model").write_bytes(b"no model at all")
    with pytest.raises(UserError, match=r"broken\.model"):
        Tokenizer.load(tmp_path / "broken.model")


def test_a_model_with_other_special_ids_is_refused(lines: list[str], tmp_path: Path) -> None:
    with (tmp_path / "other.model").open("wb") as stream:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(lines), model_writer=stream, vocab_size=60, minloglevel=2
        )
    with pytest.raises(UserError, match="must be 0, 1, 2, 3"):
        Tokenizer.load(tmp_path / "other.model")
