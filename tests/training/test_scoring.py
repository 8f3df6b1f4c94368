"""Scores are sacreBLEU's own; systems are files, bundles and servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sacrebleu import corpus_bleu, corpus_chrf, corpus_ter

from data.errors import UserError
from mt_service.cli import main
from training import systems
from training.evaluation import bleu_for
from training.scoring import report_json, report_table, score_all

GOLDEN = Path(__file__).parent.parent / "models" / "golden" / "format-1"
REFERENCES = [
    f"the {noun} sat on the mat near the old door number {number}"
    for number, noun in enumerate(["cat", "dog", "cow", "pig", "hen", "fox", "owl", "elk"])
]
GOOD = [line.replace("near", "by") for line in REFERENCES]
BAD = [" ".join(line.split()[::-1]) for line in REFERENCES]


def test_scores_are_those_of_sacrebleu() -> None:
    report = score_all(GOOD, [REFERENCES], None, "en")
    found = {one.metric: one.score for one in report.scores}
    assert found["BLEU"] == pytest.approx(corpus_bleu(GOOD, [REFERENCES]).score)
    assert found["chrF"] == pytest.approx(corpus_chrf(GOOD, [REFERENCES]).score)
    assert found["TER"] == pytest.approx(corpus_ter(GOOD, [REFERENCES]).score)
    for one in report.scores:
        assert one.low <= one.score + 1e-4
        assert one.high >= one.score - 1e-4
        assert "version:" in one.signature
    assert "tok:13a" in report.scores[0].signature


def test_few_lines_with_an_empty_one_have_scores() -> None:
    few = ["the cat", "", "the dog"]
    report = score_all(few, [["the cat", "", "a dog"]], few, "en")
    assert report.scores[2].score == pytest.approx(25)
    assert all(0 <= one.low <= one.score <= one.high for one in report.scores)
    assert [one.difference for one in report.comparison] == [0, 0, 0]


def test_a_better_system_is_better_by_paired_bootstrap() -> None:
    report = score_all(GOOD, [REFERENCES], BAD, "en")
    differences = {one.metric: one for one in report.comparison}
    assert differences["BLEU"].difference > 10
    assert differences["TER"].difference < 0
    assert all(one.p_value < 0.05 for one in report.comparison)


def test_a_system_is_not_better_than_itself() -> None:
    assert all(
        one.difference == 0 and one.p_value > 0.05 for one in score_all(GOOD, [REFERENCES], GOOD, "en").comparison
    )


def test_one_sentence_shows_nothing() -> None:
    comparison = score_all(["It is a good day."], [["It is a good day."]], ["This is bad."], "en").comparison
    assert all(one.difference != 0 and one.p_value == 1 for one in comparison)


def test_chinese_is_scored_by_characters() -> None:
    assert "tok:zh" in score_all(["我没有时间。"], [["我没有时间。"]], None, "zh").scores[0].signature


def test_chinese_and_japanese_are_edited_in_parts_of_a_sentence() -> None:
    for language, text, other, edits in (
        ("zh", "我没有时间。", "我没有钱。", 2 / 5),
        ("ja", "時間がない。", "お金がない。", 2 / 4),  # がない is one
    ):
        (score,) = (one for one in score_all([text], [[other]], None, language).scores if one.metric == "TER")
        assert score.score == pytest.approx(100 * edits)
        assert "asian:yes" in score.signature


def test_reports_are_read_by_people_and_programs() -> None:
    report = score_all([*GOOD[:-1], ""], [REFERENCES], BAD, "en")
    assert json.loads(report_json(report))["empty"] == 1
    table = report_table(report)
    assert "8 sentences, 1 empty" in table
    assert "lower is better" in table
    assert "significant at 0.05" in table


class FakeServer(BaseHTTPRequestHandler):
    """Is busy once, then gives every text back in capitals; a text `bad` is refused."""

    busy: ClassVar[list[int]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.busy:
            self.busy.append(1)
            self.answer(503, {"error": {"message": "busy"}})
        elif "bad" in body["text"]:
            self.answer(422, {"error": {"message": "field 'text' is bad"}})
        elif "other" in body["text"]:
            self.answer(200, {"sentences": []})
        else:
            self.answer(200, {"translations": [{"text": text.upper() + "\n"} for text in body["text"]]})

    def answer(self, status: int, tree: Any) -> None:
        data = json.dumps(tree).encode()
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    FakeServer.busy.clear()
    with HTTPServer(("127.0.0.1", 0), FakeServer) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{made.server_port}"
        made.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("language", "tokenizer"),
    [("zh", "zh"), ("zh_Hant", "zh"), ("yue", "zh"), ("ja", "char"), ("de", "13a"), ("", "13a")],
)
def test_words_are_parted_as_a_language_does(language: str, tokenizer: str) -> None:
    metric = bleu_for(language)
    metric.corpus_score(["x"], [["x"]])
    assert f"tok:{tokenizer}|" in str(metric.get_signature())


def test_translations_are_written_where_a_link_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("one").write_text("It is a good day.\n", encoding="utf-8")
    Path("link").symlink_to("made")
    assert main(["evaluate", "--hypothesis", "one", "--reference", "one", "--output", "link"]) == 0
    assert Path("link").is_symlink()
    assert Path("made").read_text(encoding="utf-8") == "It is a good day.\n"


def request(*texts: str) -> systems.Request:
    return systems.Request(list(texts), "de", "en", None, None, "cpu")


def test_a_bundle_translates_as_the_server_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, by_evaluate, by_translate = tmp_path / "x.aa", tmp_path / "evaluate", tmp_path / "translate"
    source.write_text("😀 https://example.org\n\nba dei\nba dei 2. ka lo\n", encoding="utf-8")
    monkeypatch.setenv("MT_ENGINE", "reference")
    languages = ["--source-language", "aa", "--target-language", "bb"]
    words = ["evaluate", "--bundle", str(GOLDEN), "--source", str(source), "--reference", str(source), *languages]
    assert main([*words, "--beam", "3", "--output", str(by_evaluate)]) == 0
    words = ["translate", "--bundle", str(GOLDEN), "--source", "aa", "--target", "bb", "--input", str(source)]
    assert main([*words, "--beam", "3", "--output", str(by_translate)]) == 0
    assert by_evaluate.read_text(encoding="utf-8").splitlines()[:3] == ["😀 https://example.org", "", "dei ba"]
    assert by_evaluate.read_bytes() == by_translate.read_bytes()


def test_a_busy_server_is_asked_again_and_lines_stay_lines(server: str) -> None:
    texts = [f"text {number}" for number in range(70)]
    assert systems.by_server(request(*texts), server) == [text.upper() + " " for text in texts]


def test_what_a_server_refuses_is_told(server: str) -> None:
    with pytest.raises(UserError, match=r"answered 422: .*field 'text' is bad"):
        systems.by_server(request("bad"), server)


def test_a_server_of_another_kind_is_told(server: str) -> None:
    with pytest.raises(UserError, match=r"is no translation server: it answered \{'sentences'"):
        systems.by_server(request("other"), server)


@pytest.mark.parametrize("url", ["localhost:1", "http://127.0.0.1:1", "http://127.0.0.1:abc"])
def test_a_server_that_is_not_there_is_told(url: str) -> None:
    with pytest.raises(UserError, match=r"must be a URL|cannot be reached"):
        systems.by_server(request("a"), url)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--hypothesis", "two", "--reference", "three"], "two has 2 lines, but three has 3"),
        (["--source", "two.de", "--reference", "three.en"], "two.de has 2 lines, but three.en has 3"),
        (["--reference", "three.en"], "--source is needed to translate"),
        (["--hypothesis", "two", "--reference", "empty.en"], "empty.en is empty"),
        (["--hypothesis", "broken", "--reference", "two.de"], "broken line 2 is not UTF-8"),
        (["--source", "two.de", "--reference", "two"], "say the language with --target-language: two has no suffix"),
    ],
)
def test_files_that_cannot_be_scored_are_refused(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in {"two": b"a\nb\n", "two.de": b"a\nb\n", "three": b"a\nb\nc\n", "three.en": b"a\nb\nc\n"}.items():
        Path(name).write_bytes(text)
    Path("empty.en").write_bytes(b"")
    Path("broken").write_bytes(b"a\n\xff\n")
    assert main(["evaluate", *words]) == 2
    said = capsys.readouterr().err
    assert message in said


def test_a_translation_may_be_like_any_of_several_references() -> None:
    other = [*BAD[:-1], REFERENCES[-1]]
    score = score_all(BAD, [REFERENCES, other], None, "en").scores[0]
    expected = corpus_bleu(BAD, [REFERENCES, other])
    assert score.score == pytest.approx(expected.score)
    assert score.score > score_all(BAD, [REFERENCES], None, "en").scores[0].score
    assert score.signature.startswith("nrefs:2|")
    (compared, *_) = score_all(BAD, [REFERENCES, other], GOOD, "en").comparison
    assert compared.score == pytest.approx(corpus_bleu(GOOD, [REFERENCES, other]).score)
