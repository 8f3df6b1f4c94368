"""A dictionary of single words, out of parallel text: what comes along with the model that ships, for looking words up.

usage: python -m training.dictionary FILE.de-en.tsv [...] > single-words.de-en.tsv

Files are TSV, German and English. A noun is in it that is translated with one word, or forms of one, about half of the
time or more in both directions, as IBM's first model tells (data.lexicon), unless that word mostly stands beside the
same other one, as "hall" does in "town hall". Nouns of several meanings so are left to the network.
"""

from __future__ import annotations

import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from data.lexicon import Lexicon, learn
from data.segment import words
from data.terms import WORD, numbered

LIKELY = 0.45  # how probable words must be given each other, with all their forms
FORM = 0.05  # how probable one form must be to count
BESIDE = 0.5  # of the times that a word is a translation, when another one stands beside it, above which they are one
ENDINGS = {"de": re.compile(r"(?:e[mnrs]?)?\Z"), "en": re.compile(r"s?\Z")}
LANGUAGES = ("de", "en")
LIGHT = words("the a an my your his her its our their this that these those to and or of in on at is are was were")
SENTENCE_END = '.!?:"„“'

Pair = Sequence[str]
Found = dict[str, dict[str, float]]


def stem(word: str, language: str) -> str:
    """A word without its ending, roughly; of short words nothing is taken."""
    return ENDINGS[language].sub("", word) if len(word) > 4 else word


def probabilities(lexicon: Lexicon, sources: Sequence[str], targets: Sequence[str]) -> Found:
    """What each word may be translated with."""
    found: Found = defaultdict(dict)
    for source, target, probability in zip(*(part.tolist() for part in lexicon), strict=True):
        if probability >= FORM:
            found[sources[source]][targets[target]] = probability
    return found


def learned(pairs: Sequence[Pair]) -> tuple[Found, Found]:
    """Which words translate each other in some pairs, there and back."""
    sides = [[[word.lower() for word in WORD.findall(text)] for text in pair] for pair in pairs]
    left, right = (numbered([side[i] for side in sides]) for i in (0, 1))
    ids = [([left[w] for w in a if w in left], [right[w] for w in b if w in right]) for a, b in sides]
    filled, size, listed = [one for one in ids if all(one)], max(len(left), len(right)), (list(left), list(right))
    forth = probabilities(learn(filled, size), *listed)
    return forth, probabilities(learn([(b, a) for a, b in filled], size), *listed[::-1])


def by_stem(found: dict[str, float], language: str) -> dict[str, float]:
    """How probable words are with all their forms."""
    sums: dict[str, float] = defaultdict(float)
    for word, probability in found.items():
        sums[stem(word, language)] += probability
    return sums


def translations(forth: Found, back: Found, source: str, target: str) -> Iterator[tuple[str, str]]:
    """Each word of a direction with the shortest form of what it is translated with about half of the time or more.

    Args:
        forth, back: probabilities of this direction, and of the other one.
        source, target: languages.
    """
    returns = {other: by_stem(found, source) for other, found in back.items()}
    for word, found in forth.items():
        stemmed, most = max(by_stem(found, target).items(), key=lambda one: one[1], default=("", 0.0))
        forms = [other for other in found if stem(other, target) == stemmed]
        back_again = max((returns.get(other, {}).get(stem(word, source), 0.0) for other in forms), default=0.0)
        if min(most, back_again) >= LIKELY:
            yield word, min(forms, key=lambda one: (len(one), one))


def as_written(texts: Iterable[str]) -> dict[str, str]:
    """Words in small letters, and how they are mostly written within sentences."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for text in texts:
        for match in WORD.finditer(text):
            if match.start() and text[max(0, match.start() - 2)] not in SENTENCE_END:
                found[match[0].lower()][match[0]] += 1
    return {small: forms.most_common(1)[0][0] for small, forms in found.items()}


def apart(pairs: Sequence[Pair], side: int) -> Callable[[str, str], bool]:
    """What tells whether a translation stands on its own, and not mostly beside the same other word."""
    beside: dict[str, list[tuple[frozenset[str], list[str]]]] = defaultdict(list)
    for pair in pairs:
        here = frozenset(word.lower() for word in WORD.findall(pair[1 - side]))
        there = [word.lower() for word in WORD.findall(pair[side])]
        for word in set(there):
            beside[word].append((here, there))

    def stands(word: str, other: str) -> bool:
        places = [
            (there, i) for here, there in beside[other] if word in here for i, one in enumerate(there) if one == other
        ]
        for step in (-1, 1):
            near = Counter(there[i + step] for there, i in places if 0 <= i + step < len(there))
            if any(count > BESIDE * len(places) and one not in LIGHT for one, count in near.most_common(1)):
                return False
        return bool(places)

    return stands


def dictionary(pairs: Sequence[Pair]) -> list[tuple[str, str]]:
    """German nouns and English ones that are best for each other; verbs and others need to be seen in a sentence."""
    forth, back = learned(pairs)
    written = [as_written(pair[i] for pair in pairs) for i in (0, 1)]
    own = [apart(pairs, side) for side in (1, 0)]
    there = {a: b for a, b in translations(forth, back, "de", "en") if own[0](a, b)}
    here = {b: a for b, a in translations(back, forth, "en", "de") if own[1](b, a)}
    both = sorted((written[0].get(a, a), written[1].get(b, b)) for a, b in there.items() if here.get(b) == a)
    return [(a, b) for a, b in both if a[0].isupper()]


def main() -> None:
    """Read, learn, print."""
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    lines = [line for name in sys.argv[1:] for line in Path(name).read_text(encoding="utf-8").splitlines()]
    print("\t".join(LANGUAGES))
    for pair in dictionary([tuple(line.split("\t")) for line in dict.fromkeys(lines)]):
        print("\t".join(pair))


if __name__ == "__main__":
    main()
