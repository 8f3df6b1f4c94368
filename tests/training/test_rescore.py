"""Lists of a poor translator, rescored by a good one."""

from __future__ import annotations

import itertools
import json
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from sacrebleu import corpus_bleu
from toy import write_corpus

from models.bundle import TOKENIZER, read_bundle
from models.weights import write_bundle
from mt_service.cli import main
from training.nbest import NBest, moses, read_nbest
from training.pair_scores import score_pairs

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
SENTENCES = 60


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a test set and `list.nbest`, which the golden network made with noise on all its weights."""
    folder = tmp_path_factory.mktemp("rescore")
    write_corpus(folder, "test", SENTENCES, 5)
    bundle = read_bundle(GOLDEN)
    network = bundle.network()
    torch.manual_seed(1)
    for parameter in network.parameters():
        parameter.add_(torch.randn_like(parameter) * parameter.std() * 0.35)
    write_bundle(folder / "poor", network, GOLDEN / TOKENIZER, bundle.info)
    files = ["--input", str(folder / "test.aa"), "--output", str(folder / "list.nbest"), "--quiet", "--threads", "1"]
    how = ["--source", "aa", "--target", "bb", "--n-best", "8", "--format", "moses"]
    assert main(["translate", "--bundle", str(folder / "poor"), *how, *files]) == 0
    return folder


def rescore(place: Path, *words: str, bundle: Path = GOLDEN) -> str:
    """What `mt rescore` writes."""
    files = ["--nbest", str(place / "list.nbest"), "--source", str(place / "test.aa"), "--output", str(place / "out")]
    assert main(["rescore", *files, "--bundle", str(bundle), *words]) == 0
    return (place / "out").read_text(encoding="utf-8")


def read(place: Path, text: str) -> NBest:
    (place / "again.nbest").write_text(text, encoding="utf-8")
    return read_nbest(place / "again.nbest", place / "test.aa", SENTENCES)


def told(said: str, word: str) -> float:
    """A BLEU score on standard error."""
    found = re.search(rf"{word}: BLEU ([0-9.]+)", said)
    assert found
    return float(found.group(1))


def test_a_better_network_raises_bleu(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = rescore(place, "--reference", str(place / "test.bb"))
    said = capsys.readouterr().err
    references = (place / "test.bb").read_text(encoding="utf-8").splitlines()
    assert told(said, "after") == pytest.approx(corpus_bleu(text.splitlines(), [references]).score, abs=0.01)
    assert told(said, "before") < 70
    assert told(said, "after") > told(said, "before") + 5
    (oracle,) = re.findall(r"the list holds ([0-9.]+) at least", said)
    assert float(oracle) >= told(said, "after")
    assert "nrefs:1|case:mixed" in said
    assert "hypothesis/s" in said


def test_tuned_weights_are_written_and_give_the_same_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights, reference = place / "weights.json", str(place / "test.bb")
    tuned = rescore(place, "--tune", reference, "--weights", str(weights))
    said = capsys.readouterr().err
    tree = json.loads(weights.read_text(encoding="utf-8"))
    assert list(tree["weights"]) == ["Total0", "Joint0", "Tokens0"]
    assert tree["bundles"] == {"Joint0": "toy"}
    assert tree["tuning"]["after"] == pytest.approx(told(said, "after"), abs=0.01)
    assert told(said, "after") > told(said, "before") + 5
    assert rescore(place, "--weights", str(weights), "--target-language", "bb") == tuned


def test_weights_of_zero_leave_the_order(place: Path) -> None:
    text = rescore(place, "--target-language", "bb", "--weight", "Joint0=0", "--format", "moses")
    before, after = (place / "list.nbest").read_text(encoding="utf-8"), read(place, text)
    assert [[one.text for one in row] for row in after] == [[one.text for one in row] for row in read(place, before)]
    assert moses(after) == text


def test_hypotheses_are_written_where_a_link_leads(place: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "made")
    plain = rescore(place, "--target-language", "bb")
    rescore(place, "--target-language", "bb", "--output", str(tmp_path / "link"))
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "made").read_text(encoding="utf-8") == plain


def test_features_are_what_the_bundle_says(place: Path) -> None:
    weights = ("--weight", "Total0=0.5", "--weight", "Joint0=2", "--weight", "Tokens0=-1")
    lists = read(place, rescore(place, "--target-language", "bb", *weights, "--format", "moses"))
    bundle, sources = read_bundle(GOLDEN), (place / "test.aa").read_text(encoding="utf-8").splitlines()
    for one in random.Random(1).sample([one for row in lists for one in row], 30):
        (score,) = score_pairs(bundle.network(), bundle.tokenizer, [(sources[one.sentence], one.text)], "bb")
        found = re.fullmatch(r"Total0= (\S+) Joint0= (\S+) Tokens0= (\S+)", one.features)
        assert found
        total, joint, tokens = map(float, found.groups())
        assert (joint, tokens) == (pytest.approx(score.log_probability, abs=1e-3), score.tokens)
        assert one.total == pytest.approx(0.5 * total + 2 * joint - tokens, abs=1e-4)
    assert all(one.total >= other.total for row in lists for one, other in itertools.pairwise(row))


def test_a_bundle_that_translates_back_scores_the_source(place: Path, tmp_path: Path) -> None:
    golden, sources = read_bundle(GOLDEN), (place / "test.aa").read_text(encoding="utf-8").splitlines()
    info = replace(golden.info, directions=("bb-aa",))
    back = write_bundle(tmp_path / "back", golden.network(), GOLDEN / TOKENIZER, info)
    words = ("--target-language", "bb", "--backward", str(back.folder), "--format", "moses")
    lists = read(place, rescore(place, *words))
    for one in random.Random(1).sample([one for row in lists for one in row], 30):
        (score,) = score_pairs(back.network(), back.tokenizer, [(one.text, sources[one.sentence])], "aa")
        found = re.fullmatch(r"Total0= (\S+) Joint0= (\S+) Backward0= (\S+) Tokens0= \S+", one.features)
        assert found
        total, joint, backward = map(float, found.groups())
        assert backward == pytest.approx(score.log_probability, abs=1e-3)
        assert one.total == pytest.approx(total + joint + 0.3 * backward, abs=1e-3)
    assert all(one.total >= other.total for row in lists for one, other in itertools.pairwise(row))


def test_a_list_may_be_rescored_twice_and_by_several_bundles(place: Path) -> None:
    first = rescore(place, "--target-language", "bb", "--format", "moses")
    (place / "twice").mkdir()
    for name in ("test.aa", "test.bb"):
        (place / "twice" / name).write_bytes((place / name).read_bytes())
    (place / "twice" / "list.nbest").write_text(first, encoding="utf-8")
    more = ("--bundle", str(place / "poor"), "--target-language", "bb", "--format", "moses")
    line, *_ = rescore(place / "twice", *more).splitlines()
    names = re.findall(r"(\w+)=", line)
    assert names == ["Total0", "Joint0", "Tokens0", "Total1", "Joint1", "Joint2", "Tokens1"]


def test_sentences_without_hypotheses_are_told_and_stay_empty(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = (place / "list.nbest").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith(("3 ", "59 "))]
    (tmp_path / "list.nbest").write_text("".join(kept), encoding="utf-8")
    for name in ("test.aa", "test.bb"):
        (tmp_path / name).write_bytes((place / name).read_bytes())
    text = rescore(tmp_path, "--tune", str(tmp_path / "test.bb"))
    said = capsys.readouterr().err
    assert "has no hypotheses for 2 lines of the source: 4, 60; they come out empty" in said
    found = text.removesuffix("\n").split("\n")
    assert [number for number, line in enumerate(found) if not line] == [3, 59]
    references = (place / "test.bb").read_text(encoding="utf-8").splitlines()
    assert told(said, "after") == pytest.approx(corpus_bleu(found, [references]).score, abs=0.01)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--target-language", "aa"], "does not translate aa-aa; offered: aa-bb"),
        (["--target-language", "bb", "--backward", str(GOLDEN)], "does not translate bb-aa; offered: aa-bb"),
        ([], "say the language of the hypotheses with --target-language"),
        (["--reference", "SHORT"], "test.aa has 60 lines, but SHORT has 2: they do not pair"),
        (["--target-language", "bb", "--weights", "no.json"], "cannot read no.json"),
        (
            ["--target-language", "bb", "--weight", "Joint1=1"],
            "--weight: there is no feature Joint1; there are: ",
        ),
        (["--target-language", "bb", "--output", "no/where"], "cannot write no/where: there is no folder no"),
        (["--tune", "SHORT", "--weights", "no/w.json"], "cannot write no/w.json: there is no folder no"),
        (["--target-language", "bb", "--nbest", "SHORT"], "SHORT, line 1 is no n-best line"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    place: Path, tmp_path: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    short = tmp_path / "short.bb"
    short.write_text("ba\nka\n", encoding="utf-8")
    files = ["--nbest", str(place / "list.nbest"), "--source", str(place / "test.aa"), "--bundle", str(GOLDEN)]
    assert main(["rescore", *files, *(str(short) if word == "SHORT" else word for word in words)]) == 2
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("mt: error: ")
    assert message.replace("SHORT", str(short)) in last
