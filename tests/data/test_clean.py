import json

import pytest

from data import clean
from data.clean import RULES, Candidate, CleanConfig, Cleaner, CorpusReport, to_json, to_text
from data.config import build
from data.errors import UserError

OFF = CleanConfig(
    empty=False, length_words=0, length_characters=0, ratio=0, duplicates=False, encoding=False, identical=0,
    control=False,
)  # fmt: skip
BAD = {
    "empty": ("Hallo.", " \u200b "),
    "encoding": ("Das wäre schÃ¶n.", "That would be nice."),
    "control": ("Ein Pieps \x07 hier.", "A beep here."),
    "length": ("Wort " * 151, "word " * 151),
    "ratio": ("Ja.", "Yes, and then he told me all of it again."),
    "identical": ("Terms of use", "Terms of use"),
}


def candidate(source: str, target: str, languages: tuple[str, str] = ("de", "en")) -> Candidate:
    return clean.candidate(source, target, languages)


@pytest.mark.parametrize("rule", BAD)
def test_each_rule_drops_what_it_names_and_can_be_turned_off(rule: str) -> None:
    source, target = BAD[rule]
    pair = candidate(source, target)
    assert Cleaner(CleanConfig())(pair) == rule
    assert Cleaner(CleanConfig())(candidate(target, source)) == rule
    assert Cleaner(OFF)(pair) is None


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("Ja.", "Yes, he is."),
        ("Tom Jackson", "Tom Jackson"),
        ("Ärger, Übermut, Öl, süß: „Ä“", "Naïve café, ÂGE, NÃO, Ångström…"),
        ("Er\tsagte:\u00a0ja", "He said:\u2003yes"),
        ("Wort " * 150, "word " * 150),
    ],
)
def test_good_pairs_are_kept(source: str, target: str) -> None:
    assert Cleaner(CleanConfig())(candidate(source, target)) is None


@pytest.mark.parametrize("bad", ["schÃ¶n", "Ã\u009cber", "GrÃ¼ÃŸe", "â€œquotedâ€\u009d", "Â\u00a0x", "\ufffd", "ï»¿x"])
def test_wrongly_decoded_text_is_found(bad: str) -> None:
    assert Cleaner(CleanConfig(control=False))(candidate(bad, "fine")) == "encoding"


def test_the_second_of_equal_pairs_goes_in_either_orientation() -> None:
    cleaner = Cleaner(CleanConfig())
    assert cleaner(candidate("Ja.", "Yes.")) is None
    assert cleaner(candidate("Ja .", "Yes.")) is None
    assert cleaner(candidate(" Ja.", "Yes.")) == "duplicates"
    assert cleaner(candidate("Yes.", "Ja.", ("en", "de"))) == "duplicates"
    assert cleaner(candidate("Yes.", "Ja.")) is None
    assert Cleaner(CleanConfig())(candidate("Ja.", "Yes.")) is None


def test_limits_are_those_of_the_configuration() -> None:
    assert Cleaner(CleanConfig(length_words=2))(candidate("a b", "a b c")) == "length"
    assert Cleaner(CleanConfig(length_words=3))(candidate("a b", "a b c")) is None
    assert Cleaner(CleanConfig(length_characters=4))(candidate("abcde", "a")) == "length"
    assert Cleaner(CleanConfig(ratio=2))(candidate("a", "b" * 12)) is None
    assert Cleaner(CleanConfig(ratio=2))(candidate("a", "b" * 13)) == "ratio"
    assert Cleaner(CleanConfig(identical=1))(candidate("x", "x")) == "identical"


def test_rules_that_are_off_are_not_run() -> None:
    assert Cleaner(OFF).rules == {}
    assert Cleaner(CleanConfig()).rules.keys() == RULES.keys()


@pytest.mark.parametrize("setting", [{"length_words": -1}, {"identical": -1}, {"ratio": 0.5}])
def test_a_wrong_limit_is_named(setting: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(setting))):
        build(CleanConfig, setting)


def test_the_report_lists_every_line_and_the_table_the_first() -> None:
    report = CorpusReport("a.de", read=20)
    for number in range(1, 8):
        report.drop("ratio", number)
    report.drop("empty", 9)
    assert report.counts() == {"corpus": "a.de", "read": 20, "kept": 12, "dropped": {"ratio": 7, "empty": 1}}
    rows = json.loads(to_json([report]))
    assert rows[0] == {"corpus": "a.de", "rule": "ratio", "count": 7, "lines": [1, 2, 3, 4, 5, 6, 7]}
    assert rows[1]["lines"] == [9]
    table = to_text([report]).splitlines()
    assert table[0] == "a.de: 20 read, 12 kept"
    assert table[1].split() == ["ratio", "7", "lines", "1,", "2,", "3,", "4,", "5,", "..."]
    assert table[2].split() == ["empty", "1", "lines", "9"]
    assert table[3] == "all: 20 read, 12 kept, 8 dropped"
    assert json.loads(to_json([CorpusReport("b", 1)])) == []
