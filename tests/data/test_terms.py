"""Which words translate each other, and pairs with symbols in their places."""

from __future__ import annotations

import random

import pytest

from data.prepared import Pair
from data.terms import (
    ALL,
    EMPHASES,
    LINK,
    SECOND,
    SELDOM,
    WHOLE,
    Terms,
    with_capitals,
    with_emphasis,
    with_symbols,
    with_terms,
    with_words,
)

SYMBOLS = ("\ue000", "\ue001", "\ue002")
ENDS = [first + second for first in "abcdefghijklmnopqrstuvwxyz" for second in "abcdefghijklmnopqrst"]
WORDS = {f"Wort{end}": f"word{end}" for end in ENDS}


def text(count: int = 3000) -> list[Pair]:
    """Sentences of a grammar word and three others, which stand in another order on the other side."""
    rng = random.Random(1)
    pairs = []
    for i in range(count):
        some = rng.sample(sorted(WORDS), 3)
        pair = Pair("de", "en", f"das {' '.join(some)}.", f"{' '.join(WORDS[one] for one in reversed(some))} the.")
        pairs.append(pair.swapped() if i % 5 == 0 else pair)
    return pairs


def test_words_that_translate_each_other_are_found_in_both_directions() -> None:
    terms = Terms(text())
    pair = Pair("de", "en", "das Wortaa wortab Wortac.", "Wordac wordab wordaa the.")
    expected = [("Wortaa", "wordaa"), ("wortab", "wordab"), ("Wortac", "Wordac")]
    assert terms.of(pair) == expected
    assert sorted(terms.of(pair.swapped())) == sorted((b, a) for a, b in expected)
    assert terms.of(Pair("de", "fr", pair.source, pair.target)) == []


def test_a_word_that_stands_twice_on_a_side_is_no_term() -> None:
    terms = Terms(text())
    assert terms.of(Pair("de", "en", "Wortaa Wortaa Wortab", "wordaa wordab wordab")) == []
    assert terms.of(Pair("de", "en", "Wortaa wortaa", "wordaa")) == []
    assert terms.of(Pair("de", "en", "Wortaa", "wordaa Wordaa")) == []


def test_words_of_grammar_are_no_terms() -> None:
    pairs = [Pair("de", "en", f"das {source}", f"the {WORDS[source]}") for source in sorted(WORDS)] * SELDOM
    assert Terms(pairs).of(Pair("de", "en", "das Wortaa", "the wordaa")) == [("Wortaa", "wordaa")]
    assert Terms(pairs[len(WORDS) :]).of(Pair("de", "en", "das Wortaa", "the wordaa")) == []  # too seldom


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_symbols_stand_in_place_of_words_and_of_their_translations(rate: float) -> None:
    pairs = text()
    changed = 0
    for old, new in zip(pairs, with_terms(pairs, Terms(pairs), rate, SYMBOLS, random.Random(3)), strict=True):
        changed += old != new
        left, right = ([side.split() for side in pair[2:]] for pair in (old, new))
        places = [[i for i, word in enumerate(side) if word.strip(".") in SYMBOLS] for side in right]
        assert len(places[0]) == len(places[1]) <= 2
        for place in places[0]:
            symbol = right[0][place].strip(".")
            other = next(i for i, word in enumerate(right[1]) if word.strip(".") == symbol)
            words = left[0][place].strip("."), left[1][other].strip(".")
            assert words in WORDS.items() or words[::-1] in WORDS.items()
            right[0][place], right[1][other] = left[0][place], left[1][other]
        assert left == right
    assert abs(changed / len(pairs) - rate) < 0.05


def test_the_same_seed_gives_the_same_pairs() -> None:
    terms = Terms(text())
    one, other = (with_terms(text(), terms, 0.5, SYMBOLS, random.Random(7)) for _ in range(2))
    assert one == other


def test_text_of_which_nothing_can_be_learned_stays() -> None:
    pairs = [Pair("de", "en", "Ja.", "Yes."), Pair("de", "en", "!", "")]
    assert with_terms(pairs, Terms(pairs), 1.0, SYMBOLS, random.Random(1)) == pairs
    assert with_terms(text(50), Terms(text(50)), 1.0, (), random.Random(1)) == text(50)
    assert with_terms([], Terms([]), 1.0, SYMBOLS, random.Random(1)) == []


def test_words_with_capitals_come_more_often() -> None:
    pairs = [Pair("de", "en", "Wortaa wortab wortac", "wordaa wordab wordac")]
    terms, rng = Terms(text()), random.Random(1)
    drawn = [with_symbols(pairs[0], terms.of(pairs[0]), SYMBOLS, rng).source.split() for _ in range(1000)]
    gone = [sum(words[i] in SYMBOLS for words in drawn) for i in range(3)]
    assert gone[0] > 1.5 * max(gone[1:])
    twice = sum(sum(word in SYMBOLS for word in words) == 2 for words in drawn)
    assert abs(twice / 1000 - SECOND) < 0.05


def test_words_of_which_none_is_likely_are_no_terms() -> None:
    rng = random.Random(1)
    others = [f"word{end}" for end in ENDS]
    pairs = [Pair("de", "en", f"Wortaa {rng.choice(sorted(WORDS))}", rng.choice(others)) for _ in range(20)] + text()
    assert Terms(pairs).of(Pair("de", "en", "Wortaa", others[7])) == []


def test_a_pair_without_terms_is_the_same_one() -> None:
    pair = Pair("de", "en", "Ja.", "Yes.")
    assert with_symbols(pair, [], SYMBOLS, random.Random(1)) is pair


def test_words_come_in_place_of_their_pairs_but_none_that_begins_a_side() -> None:
    pairs, changed = text(), 0
    for old, new in zip(pairs, with_words(pairs, Terms(pairs), 0.4, random.Random(3)), strict=True):
        if new is not old:
            changed += 1
            both = (new.source, new.target)
            assert both in WORDS.items() or both[::-1] in WORDS.items()
            for whole, word in zip(old[2:], both, strict=True):
                assert word in whole.strip(".").split()[1:]
    assert abs(changed / len(pairs) - 0.4) < 0.04
    pair = Pair("de", "en", "Wortaa wortab", "wordab wordaa")
    assert with_words([pair], Terms(text()), 1.0, random.Random(1)) == [pair]
    assert with_words(pairs, Terms([]), 0.0, random.Random(1)) == pairs


@pytest.mark.parametrize("rate", [0.0, 0.4])
def test_pairs_or_words_that_translate_each_other_are_put_into_capitals(rate: float) -> None:
    pairs = text()
    whole = words = 0
    for old, new in zip(pairs, with_capitals(pairs, Terms(pairs), rate, random.Random(3)), strict=True):
        assert (new.source.lower(), new.target.lower()) == (old.source.lower(), old.target.lower())
        if new.source == old.source.upper():
            whole += 1
            assert new.target == old.target.upper()
        elif new != old:
            words += 1
            large = [next(word for word in side.strip(".").split() if word.strip(".").isupper()) for side in new[2:]]
            left, right = (word.strip(".").lower() for word in large)
            assert left[-2:] == right[-2:]
    assert abs(whole / len(pairs) - rate * WHOLE) < 0.04
    assert abs(words / len(pairs) - rate * (1 - WHOLE)) < 0.04


def test_a_pair_without_terms_is_put_into_capitals_as_a_whole() -> None:
    pairs = [Pair("de", "en", "Ja, \ue000!", "Yes, \ue000!")]
    assert with_capitals(pairs, Terms(pairs), 1.0, random.Random(1)) == [
        Pair("de", "en", "JA, \ue000!", "YES, \ue000!")
    ]


def test_languages_without_capitals_have_none() -> None:
    pairs = [Pair("zh", "en", "你好。", "Hello.")]
    assert with_capitals(pairs, Terms(pairs), 1.0, random.Random(1)) == pairs


def test_marks_of_emphasis_stand_around_words_that_translate_each_other_or_around_all() -> None:
    pairs, rates = text(), dict[str, int]()
    for old, new in zip(pairs, with_emphasis(pairs, Terms(pairs), 0.5, SYMBOLS, random.Random(3)), strict=True):
        if old == new:
            continue
        link = any(symbol in new.source for symbol in SYMBOLS)
        marks = [("[", f"]({symbol})") for symbol in SYMBOLS] if link else EMPHASES
        left, right = max((one for one in marks if all(m in new.source for m in one)), key=lambda one: len(one[0]))
        inside = [side[side.index(left) + len(left) : side.rindex(right)] for side in new[2:]]
        whole = inside == list(old[2:])
        assert whole or tuple(inside) in WORDS.items() or tuple(inside[::-1]) in WORDS.items()
        assert [side.replace(left, "", 1).replace(right, "", 1) for side in new[2:]] == list(old[2:])
        for name, found in (("all", True), ("link", link), ("whole", whole)):
            rates[name] = rates.get(name, 0) + found
    assert abs(rates["all"] / len(pairs) - 0.5) < 0.05
    assert abs(rates["link"] / rates["all"] - LINK) < 0.05
    assert abs(rates["whole"] / rates["all"] - ALL) < 0.05


def test_emphasis_needs_no_symbols_and_takes_none_that_a_pair_has() -> None:
    pair = Pair("de", "en", f"das {SYMBOLS[0]}", f"the {SYMBOLS[0]}")
    some = with_emphasis([pair] * 200, Terms([]), 1.0, SYMBOLS[:1], random.Random(1))
    assert all(one.source.count(SYMBOLS[0]) == 1 and "](" not in one.source for one in some)
    assert with_emphasis([pair], Terms([]), 0.0, SYMBOLS, random.Random(1)) == [pair]
