"""Pairs whose names become other ones, so that a network learns to spell names that its text does not hold, and which
names of a list belong together."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from data.placeholders import LETTER
from data.prepared import Pair

# Next to digits stand months. Longer marks within a word are those of addresses and code.
CAPITALISED = re.compile(
    rf"(?<![{LETTER}\d_'’./@-])(?<!\d )(?<!\d\. )(?P<stem>[A-ZÀ-ÖØ-Þ][a-zß-öø-ÿ]{{2,}})(?P<owner>['’]s)?"
    rf"(?![{LETTER}\d_'’/@-]|\.\w| \d)"
)
SMALL = re.compile(r"\b[a-zß-öø-ÿ]{3,}\b")
HISSING = ("s", "ß", "x", "z")  # German names that end so take an apostrophe in the genitive
FOREIGN = "áâãåæçèéêíïñóôõøúüýčěğłńőřśšűžż"
LONGEST = 10  # letters of a word that names are made from, and of one that is made
SEVERAL = 0.15  # of the names, which become two words, as people have them
LISTED = 0.75  # of the names that stand in a list: those become another one of it, the rest what any name becomes


class Entry(NamedTuple):
    """What a name of a list is in the other language, and the whole list in this direction."""

    target: str
    others: Sequence[Pair]


class Names:
    """Which words of some pairs are names, and new ones like them; lists hold names that are others elsewhere."""

    def __init__(self, pairs: Sequence[Pair], lists: Sequence[Sequence[Pair]] = ()) -> None:
        small, both, words = set[str](), set[str](), set[str]()
        for pair in pairs:
            small.update(SMALL.findall(pair.source), SMALL.findall(pair.target))
            left, right = stems(pair.source), stems(pair.target)
            words.update(left, right)
            both.update(common(left, right))
        self.known = sorted(name for name in both if name.lower() not in small)
        self.words = sorted(word for word in words if len(word) <= LONGEST) or self.known
        self._known = frozenset(self.known)
        self._entries: dict[str, dict[str, Entry]] = {}
        for listed in lists:
            for others in (listed, [one.swapped() for one in listed]):
                for one in others:
                    self._entries.setdefault(one.direction, {})[one.source] = Entry(one.target, others)

    def of(self, left: Counter[str], right: Counter[str]) -> list[str]:
        """The names that both sides of a pair share; `stems` counted their words."""
        return [name for name in common(left, right) if name in self._known]

    def listed(self, direction: str, left: Counter[str], right: Counter[str]) -> Iterator[tuple[str, Entry]]:
        """The names of lists that stand equally often on both sides, each as its side has it."""
        entries = self._entries.get(direction)
        if not entries:
            return
        left = whole(left, entries)
        back = whole(right, {entries[name].target for name in left if name in entries})
        for name, count in left.items():
            if name in entries and back.get(entries[name].target) == count:
                yield name, entries[name]

    def another(self, rng: random.Random) -> str:
        """A name: one of the text, one that is another word, one of parts of two words, or one with other letters."""
        kind = rng.random()
        if kind < 0.15:
            return rng.choice(self.known)
        if kind < 0.25:
            return rng.choice(self.words)
        if kind < 0.65:
            return glued(rng.choice(self.words), rng.choice(self.words), rng)
        return misspelled(rng.choice((rng.choice(self.known), rng.choice(self.words))), self.words, rng)


def renamed(pairs: Sequence[Pair], rate: float, rng: random.Random, lists: Sequence[Sequence[Pair]] = ()) -> list[Pair]:
    """With probability `rate`, give the names that both sides of a pair share other names.

    Names are capitalised words that stand equally often on both sides and never in small letters: 'Tom', also as
    'Tom's' beside the German 'Toms'. The new ones are mostly made up. A name that a list has, as 'München' beside
    'Munich', mostly becomes another one of that list.
    """
    names = Names(pairs, lists) if rate else None
    if not names or not (names.known or lists):
        return list(pairs)
    return [with_other_names(pair, names, rng) if rng.random() < rate else pair for pair in pairs]


def with_other_names(pair: Pair, names: Names, rng: random.Random) -> Pair:
    """A pair with other names on both sides."""
    words = stems(pair.source), stems(pair.target)
    left, right = dict[str, str](), dict[str, str]()
    for name, (target, others) in names.listed(pair.direction, *words):
        other = rng.choice(others) if not names.known or rng.random() < LISTED else None
        left[name], right[target] = (other.source, other.target) if other else (new_name(names, rng),) * 2
    for name in names.of(*words):
        if name not in left:
            left[name] = right[name] = new_name(names, rng)
    return pair._replace(source=put(left, pair.source), target=put(right, pair.target)) if left else pair


def can_be_found(pair: Pair) -> bool:
    """Whether a pair of names can be found in text: each is one capitalised word of three letters or more."""
    return all((match := CAPITALISED.fullmatch(name)) is not None and match["stem"] == name for name in pair[2:])


def new_name(names: Names, rng: random.Random) -> str:
    """A name of one word, or now and then of two."""
    words = 2 if rng.random() < SEVERAL else 1
    return " ".join(names.another(rng) for _ in range(words))


def put(table: dict[str, str], text: str) -> str:
    """Replace names, and their genitives by genitives."""

    def anew(match: re.Match[str]) -> str:
        stem = match["stem"]
        if stem in table:
            return table[stem] + (match["owner"] or "")
        return genitive(table[stem[:-1]]) if stem.endswith("s") and stem[:-1] in table else match[0]

    return CAPITALISED.sub(anew, text)


def genitive(name: str) -> str:
    """A name's German genitive."""
    return name + ("'" if name.endswith(HISSING) else "s")


def shared(pair: Pair) -> list[str]:
    """The capitalised words that stand equally often on both sides, genitives counted in."""
    return common(stems(pair.source), stems(pair.target))


def common(left: Counter[str], right: Counter[str]) -> list[str]:
    """The words that stand equally often in two texts whose words were counted."""
    if not left or not right:
        return []
    known = left.keys() | right.keys()
    left, right = whole(left, known), whole(right, known)
    return [name for name, count in left.items() if count == right.get(name)]


def stems(text: str) -> Counter[str]:
    """How often each capitalised word stands in a text; 'Tom's' is one more 'Tom'."""
    return Counter(match["stem"] for match in CAPITALISED.finditer(text))


def whole(counts: Counter[str], known: Collection[str]) -> Counter[str]:
    """The same, with German genitives counted as the names that are known: 'Toms' as 'Tom'."""
    found = Counter[str]()
    for word, count in counts.items():
        found[word[:-1] if word.endswith("s") and word[:-1] in known else word] += count
    return found


def glued(first: str, second: str, rng: random.Random) -> str:
    """The beginning of a word and the end of another one."""
    front = first[: rng.randrange(2, len(first) + 1)]
    back = second[rng.randrange(1, len(second)) :]
    return (front + back)[:LONGEST]


def misspelled(word: str, words: Sequence[str], rng: random.Random) -> str:
    """A word with one to three letters, not the first, replaced by letters of other words or foreign ones."""
    letters = list(word[:LONGEST])
    for _ in range(rng.randint(1, 3)):
        foreign = rng.random() < 0.1
        letters[rng.randrange(1, len(letters))] = rng.choice(FOREIGN if foreign else rng.choice(words)[1:])
    return "".join(letters)
