"""Text in one language: what of it is new."""

from __future__ import annotations

from pathlib import Path

import pytest

from data.clean import CorpusReport
from data.corpus import CorpusConfig
from data.errors import UserError
from data.monolingual import MonolingualConfig, fingerprint, read_monolingual, scored_in

DEV = CorpusConfig("text", ("de", "en"), Path("dev.de"), Path("dev.en"))


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name.replace("_", ".")).write_text(text, encoding="utf-8")


def test_what_is_there_or_will_be_scored_is_left_out_and_listed(tmp_path: Path) -> None:
    write(tmp_path, more_en="New one.\nOld!\n\n?!\nnew  ONE\nIn dev\nIn test.\nThe German's\nLast\n")
    write(tmp_path, dev_de="The German's\n", dev_en="in dev.\n", test_en="In  test\n")
    one, report = MonolingualConfig("en", Path("more.en"), (Path("test.en"),)), CorpusReport("more.en")
    seen = {fingerprint("old")}
    scored = scored_in("en", tmp_path, [DEV])
    assert list(read_monolingual(one, tmp_path, scored, seen, report)) == ["New one.", "The German's", "Last"]
    assert (report.read, report.kept) == (9, 3)
    assert report.dropped == {"repeated": [2, 5], "empty": [3, 4], "held_out": [6, 7]}
    assert list(read_monolingual(one, tmp_path, set(), seen, CorpusReport("again"))) == ["In dev"]


def test_vowels_that_are_marks_make_another_word() -> None:
    boy, girl, boys = "वह लड़का है।", "वह लड़की है।", "वह लड़के हैं।"
    assert len({fingerprint(text) for text in (boy, girl, boys)}) == 3
    assert fingerprint(boy) == fingerprint(boy.removesuffix("।"))


@pytest.mark.parametrize("missing", ["more.en", "test.en"])
def test_a_missing_file_is_told(tmp_path: Path, missing: str) -> None:
    write(tmp_path, more_en="a\n", test_en="b\n")
    (tmp_path / missing).unlink()
    one = MonolingualConfig("en", Path("more.en"), (Path("test.en"),))
    with pytest.raises(UserError, match=f"monolingual file .*{missing} does not exist: mend its path, or the root"):
        next(read_monolingual(one, tmp_path, set(), set(), CorpusReport("more.en")))
