"""A dictionary is learned from sentences; what stands beside another word, or has several meanings, is left out."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from training.dictionary import dictionary, main, stem

NOUNS = {f"Wort{i}": f"word{i}" for i in "abcdefghijklmnopqrstuvwxyz"}


def sentences(count: int = 3000) -> list[tuple[str, str]]:
    """Some nouns in any order; one is two words in English, one has three meanings, and one is a verb."""
    rng = random.Random(1)
    found = []
    for _ in range(count):
        some = rng.sample([*NOUNS, "Rathaus", "Bank", "laufen"], 3)
        meanings = {**NOUNS, "Rathaus": "town hall", "Bank": rng.choice(["bank", "bench", "bay"]), "laufen": "walk"}
        others = rng.sample([meanings[one] for one in some], 3)
        fillers = [f"Nix{rng.randrange(400)}" for _ in range(2)], [f"nil{rng.randrange(400)}" for _ in range(2)]
        left, right = (
            " ".join(rng.sample([*words, *more], 5)) for words, more in zip((some, others), fillers, strict=True)
        )
        found.append((f"es {left}", f"it {right}"))
    return found


@pytest.fixture(scope="module")
def pairs() -> list[tuple[str, str]]:
    rng = random.Random(2)
    plain = [(f"Nur {rng.randrange(10**6)}", f"Only {rng.randrange(10**6)}") for _ in range(40_000)]
    return [*sentences(), *plain]


def test_nouns_that_translate_each_other_are_in_a_dictionary(pairs: list[tuple[str, str]]) -> None:
    found = dictionary(pairs)
    assert dict(found).items() >= NOUNS.items()
    assert not {"Rathaus", "Bank", "laufen"} & dict(found).keys()


def test_a_file_begins_with_its_languages(
    pairs: list[tuple[str, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.tsv").write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")
    monkeypatch.setattr("sys.argv", ["dictionary", str(tmp_path / "text.tsv")])
    main()
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == "de\ten"
    assert "Worta\tworda" in lines
    monkeypatch.setattr("sys.argv", ["dictionary"])
    with pytest.raises(SystemExit, match="usage"):
        main()


def test_endings_of_longer_words_go() -> None:
    assert [stem(word, "de") for word in ("kunden", "junge", "jungem", "tee")] == ["kund", "jung", "jung", "tee"]
    assert [stem(word, "en") for word in ("customers", "gas")] == ["customer", "gas"]
