"""What stands in a translation as in its source: addresses, codes, long numbers, emoji, words of another script.

A network spells such things piece by piece, and gets them wrong. So it sees a placeholder symbol in place of each, and
what the symbol stands for is put into its translation. The terms of a glossary are treated alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from functools import lru_cache
from typing import NamedTuple

from data.clock import Clock, may_tell, reader, rendered_times
from data.glossary import Glossary, capitalised, find, held
from data.languages import has_spaces
from data.numbers import DIGITS, GLUED_NUMBER, NUMBER, Carry, left, made_up, missing, rendered
from data.placeholders import EMAIL, EMOJI, URL
from data.spans import Span, joined, together
from data.tokenizer import FIRST_PLACEHOLDER, Tokenizer

DOMAINS = "com|org|net|edu|gov|info|eu|io|de|ch|fr|uk|cn|nl|pl"
SUFFIXES = (
    "pdf|txt|docx?|xlsx?|pptx?|od[st]|csv|json|xml|html?|zip|jpe?g|png|gif|svg|mp[34]|py|sh|exe|md|toml|ya?ml|log"
)
SMILEY = r"(?<![\w:;=])(?:[:;=]['’]?[-o]?[()DPp/|*](?![\w/])|\^\^|[xX]D\b|<3(?!\w))"
KINDS = {
    "variable": r"\{\{[^{}\n]{1,40}\}\}|\{[\w.]+\}|\$\{[\w.]+\}|(?<!\d)%%"
    r"|(?<!\d)%(?:\(\w+\)|\d+\$)?[-+#0]?\d*(?:\.\d+)?(?:l{0,2}[diuxs]|[fge@])(?!\w)",
    "verbatim": r"(?<![\w`])`(?:[^\s`']|[^\s`][^`]*[^\s`'])`(?![\w`])",
    "address": rf"{URL}|{EMAIL}|(?<![\w.-])(?:[\w-]+\.)+(?:{DOMAINS})(?:/[^\s<>\"]*[\w/])?(?![\w-]|\.\w)",
    "path": r"(?<!\w)[A-Za-z]:\\[^\s<>\"]*\w|\\\\[\w.-]+(?:\\[\w.$-]*[\w$])+|(?<![\w./])~?(?:/[\w.-]*\w){2,}/?",
    "file": rf"(?<![\w.-])[\w-]+(?:\.[\w-]+)*\.(?:{SUFFIXES})\b",
    "uuid": r"(?<![\w-])[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}(?![\w-])",
    "compound": r"(?<![\w-])(?=[\w-]*[A-Za-z]\d)(?=(?:[^\W\d]++-)*+[^\W\d]*+\d\w*+-(?:[^\W\d]++-)*+[^\W\d]*+\d)"
    r"\w++(?:-\w++)++(?!-)",
    "option": r"(?<!\S)(?:--[a-z][\w-]*\w(?:=[^\s,;]*[\w/])?|-[A-Za-z](?=[\s.,;:!?)]|\Z))",
    "footnote": r"\[\^[\w-]{1,40}\]:?",
    "power": r"(?<![\w^])\w+\^[-+]?\w+",
    "arrow": r"(?<!\S)(?:-->|<--)(?!\S)",
    "handle": r"(?<!\w)[@#][^\W\d_]\w*",
    "markup": r"</?\d+/?>|</?[A-Za-z][\w-]*(?:\s[^<>]*)?/?>|&(?:[A-Za-z]+|#\d+);",
    "iban": r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,4})?(?!\w)",
    "phone": r"(?<![\w+-])(?<!\d[.,:/])(?:\+(?=\d)|\(0\d+\)|0)(?=(?:[ ()/-]{0,2}\d){5})[\d ()/-]*\d(?!\w|[.,:]\d)",
    "code": rf"(?!{GLUED_NUMBER})"
    r"(?<![\w-])(?=[A-Z\d])(?=[\d_/.-]*[A-Z])(?=[A-Z_/.-]*\d)[A-Z0-9]+(?:[-_/.][A-Z0-9]+)*(?![\w-])",
    "name": r"(?<![\w-])(?:(?=\w*\d\w*\d)(?=\w*[A-Za-z]\w*\d)\w{6,}|[^\W_]+(?:_[^\W_]+)+(?:-[a-z\d]+)*)(?![\w-])",
    "number": NUMBER,
    "emoji": rf"(?:{EMOJI})+|{SMILEY}",
}
UNTOUCHED = ("verbatim", "address", "path", "file", "handle", "markup", "variable", "iban")  # though times stand there
UNIT = re.compile(
    r" ?(?:[$%]|(?:[cdkm]?m|km/h|m/s)[²³]?|[km]?g|t|[cdm]?l|ha|[kMG]?Hz|[kMG]?Wh?|k?V|m?A|[kMGT]B|kcal|h)(?!\w)"
)
SPAN = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in KINDS.items()))
OTHERS: tuple[Carry, ...] = ("times", "all", "none")
PRIVATE = [chr(code) for code in range(FIRST_PLACEHOLDER, 0xF900)]
HINT = re.compile(  # without any of these, and
    r"[`_\d@#{%^~/\\<&\u2600-\u27bf\U0001f000-\U0001faff]|[:;=]['’]?[-o]?[()DPp/|*]|\^\^|[xX]D\b|(?:\A|\s)--?[A-Za-z]"
)
OWN_LETTER = re.compile(r"[^\W\d_A-Za-zÀ-ɏ]")  # of a script that does not part words, beside which a literal may stand
TECHNICAL = frozenset("^~\\")  # signs that a network never learned to spell in bytes, and gets wrong
FIRST_SIGN = re.compile(r"[^\W_]|[\ue000-\uf8ff]")  # a letter, a digit or a symbol
INNER_DOT = re.compile(r"\.\w")  # without this, no span is found


class Masked(NamedTuple):
    """A normalised text with symbols in place of literals."""

    text: str
    sources: dict[str, str]  # what each symbol stands for in the text
    targets: dict[str, str]  # and in its translation
    beyond: int = 0  # literals that there was no symbol for
    wordless: bool = False  # no letter is left, and so nothing to translate
    parted: tuple[str, ...] = ()  # symbols with a space that parts them from a word, and is not in the source
    numbers: tuple[str, ...] = ()  # groups of digits that are left in the text
    language: str = ""  # of the translation
    terms: frozenset[str] = frozenset()  # symbols of terms of a glossary
    expected: tuple[str, ...] = ()  # what the terms are to be that are left to the network
    clock: Clock = Clock("")  # the times of day in the text

    def restored(self, translation: str) -> str:
        """A translation with what its symbols stand for."""
        for pair in self.parted:
            translation = translation.replace(pair, pair.strip())
        return rendered_times(unmasked(translation, self.shown(translation)), self.clock, self.language)

    def shown(self, translation: str) -> dict[str, str]:
        """What the symbols of a translation stand for; a term that begins a sentence gets a capital letter."""
        first = FIRST_SIGN.search(translation) if self.terms else None
        if first and first[0] in self.terms and self.begins_large:
            return {**self.targets, first[0]: capitalised(self.targets[first[0]])}
        return self.targets

    @property
    def carried(self) -> list[str]:
        """What stands in the translation as in the text."""
        return [text for symbol, text in self.sources.items() if self.targets[symbol] == text]

    @property
    def is_changed(self) -> bool:
        """Whether the network reads something else than stands in the text."""
        return bool(self.targets) or self.clock.is_changed

    @property
    def begins_large(self) -> bool:
        """Whether the text is a sentence, with words beside its symbols, that begins with a capital letter."""
        first = FIRST_SIGN.search(self.text)
        return first is not None and not self.wordless and self.sources.get(first[0], first[0])[0].isupper()

    def lost(self, translation: str) -> list[str]:
        """What a translation with symbols does not hold exactly once, as it should stand there, and terms it lacks."""
        wrong = [target for symbol, target in self.targets.items() if translation.count(symbol) != 1]
        terms = Counter(self.expected).items() if self.expected else ()
        return wrong + [term for term, count in terms if held(term, translation, self.language) < count]

    def lacking(self, translation: str) -> list[str]:
        """Numbers left to the network that a translation does not seem to hold."""
        return missing(self.numbers, translation, self.language)

    @property
    def exacting(self) -> bool:
        """Whether there are literals, terms or numbers: some translations get them wrong, so it pays to have more."""
        return bool(self.targets or self.expected or self.numbers)

    def faults(self, translation: str) -> int:
        """Literals, terms and numbers that a translation with symbols lost, and numbers that it made up."""
        if not self.exacting:
            return 0
        others = made_up(self.numbers, translation)
        return len(self.lost(translation)) + len(self.lacking(translation)) + len(others)


def measured(number: Span, text: str) -> Span:
    """A number with the sign of a currency before it, or the unit behind it."""
    unit = UNIT.match(text, number.end)
    before, after = "$" if text[: number.start].endswith("$") else "", unit[0] if unit else ""
    return Span(number.start - len(before), number.end + len(after), before + number.target + after)


def masked_by(symbols: Sequence[str], text: str, spans: Sequence[Span], part: bool = False) -> Masked:
    """A text with symbols in place of its first literals, parted from the words that they touch if that is wished."""
    parts, parted, position = list[str](), list[str](), 0
    sources, targets = dict[str, str](), dict[str, str]()
    for span, symbol in zip(spans, symbols, strict=False):
        before = " " if part and text[: span.start][-1:].isalnum() else ""
        after = " " if part and text[span.end :][:1].isalnum() else ""
        parts += [text[position : span.start], before, symbol, after]
        parted += [pair for pair in (before + symbol, symbol + after) if len(pair) > 1]
        sources[symbol], targets[symbol] = text[span.start : span.end], span.target
        position = span.end
    rest = len(spans) - len(targets)
    terms = frozenset(symbol for span, symbol in zip(spans, symbols, strict=False) if span.term)
    return Masked("".join([*parts, text[position:]]), sources, targets, rest, parted=tuple(parted), terms=terms)


def between(text: str, spans: Sequence[Span]) -> str:
    """What is left of a text without its literals."""
    starts, ends = [0, *(span.end for span in spans)], [*(span.start for span in spans), len(text)]
    return "".join(text[start:end] for start, end in zip(starts, ends, strict=True))


def unmasked(text: str, table: dict[str, str]) -> str:
    """A text with what its symbols stand for."""
    return text.translate({ord(symbol): literal for symbol, literal in table.items()})


class Masking:
    """Finds the literals of texts that are to be translated, and puts symbols in their places.

    Args:
        tokenizer: tells which characters a network knows.
        symbols: placeholders that it carries over.
        source: language of the texts.
        target: language of their translations.
    """

    def __init__(self, tokenizer: Tokenizer, symbols: Sequence[str], source: str, target: str) -> None:
        self.symbols, self.source, self.target = symbols, source, target
        self.glossaries: tuple[Glossary, ...] = ()
        self.spaced = has_spaces(source)
        self.reader = reader(source, target)
        self.characters = tokenizer.characters
        self.scripts = frozenset(map(script, self.characters))

    def following(self, *glossaries: Glossary) -> Masking:
        """The same with more glossaries, whose terms come before those that it had."""
        other = copy(self)
        other.glossaries = (*glossaries, *self.glossaries)
        return other

    def mask(self, text: str, carry: Carry = "rule", hold: bool = False) -> Masked:
        """Put a symbol in place of each literal of a normalised text, as long as there are some left.

        Args:
            text: a sentence.
            carry: which numbers that a network may do better are literals, too.
            hold: have symbols for terms of glossaries, too, and not just expect them in the translation.
        """
        clock = self.timed(text)
        masked = self.mask_numbers(clock.text, carry, hold)
        return masked._replace(clock=clock, language=self.target) if clock.is_changed else masked

    def timed(self, text: str) -> Clock:
        """A text with times of day as a network carries them over; as it is, if that hid a term."""
        if self.reader is None or not may_tell(text):
            return Clock(text)
        clock = self.reader(text, (one.span() for one in SPAN.finditer(text) if one.lastgroup in UNTOUCHED))
        if clock.text == text:
            return clock
        there, after = (len(list(find(self.glossaries, one))) for one in (text, clock.text))
        return clock if after >= there else Clock(text)

    def mask_numbers(self, text: str, carry: Carry, hold: bool) -> Masked:
        """As `mask`, of a text whose times of day are as a network carries them over."""
        terms = list(find(self.glossaries, text))
        if not terms and self.is_plain(text) and any(map(str.isalpha, text)):
            return Masked(text, {}, {})
        spans = together(terms, self.single(text, carry, terms))
        if text and self.is_wordless(between(text, spans), bool(terms)):
            spans = [one._replace(target=capitalised(one.target)) if one.enlarged else one for one in spans]
            return masked_by(PRIVATE, text, joined(spans, text, self.between_terms))._replace(wordless=True)
        known = spans if hold or not terms else list(self.single(text, carry))
        known = joined(known, text, self.between_terms)
        masked = masked_by(self.symbols, text, known, self.spaced)
        expected = tuple(one.target for one in (known[len(self.symbols) :] if hold else spans) if one.term)
        return masked._replace(numbers=left(masked.text, self.source), language=self.target, expected=expected)

    @property
    def between_terms(self) -> str | None:
        """What stands between neighbouring terms of a translation; nothing that is known, what stands in the text."""
        return None if self.spaced == has_spaces(self.target) else "" if self.spaced else " "

    def is_wordless(self, rest: str, terms: bool) -> bool:
        """Whether what is left of a text without its spans needs no translation.

        Between terms, numbers may be written in another way, and the marks of languages without spaces are their own.
        """
        same_marks = self.spaced == has_spaces(self.target)
        return not any(map(str.isalpha, rest)) and not (terms and (not same_marks or any(map(str.isdigit, rest))))

    def others(self, text: str, masked: Masked) -> list[Masked]:
        """A masked text with times of day alone as symbols, all numbers, and none of them, as far as that differs.

        If terms are expected, all of these and what there was have symbols for them.
        """
        found, hold = {(masked.text, *masked.targets.values()): masked}, bool(masked.expected)
        for carry in (*(("rule",) if hold else ()), *(OTHERS if DIGITS.search(text) else ())):
            other = self.mask(text, carry, hold)
            if not other.wordless and (hold or not other.beyond):
                found.setdefault((other.text, *other.targets.values()), other)
        return list(found.values())[1:]

    def is_plain(self, text: str) -> bool:
        """Whether a first look tells that a text, as most are, has no literal and no number."""
        return self.characters.issuperset(text) and HINT.search(text) is None and INNER_DOT.search(text) is None

    def single(self, text: str, carry: Carry, terms: Sequence[Span] = ()) -> Iterator[Span]:
        """Literals by their form, and between them by their characters; a unit that is a term is not a number's."""
        position, parted = 0, text if self.spaced else OWN_LETTER.sub("\n", text)
        for match in SPAN.finditer(parted):
            target = self.carried(match, text, carry)
            if target is not None:
                span = Span(*match.span(), target)
                if match.lastgroup == "number" and not any(0 <= term.start - span.end <= 1 for term in terms):
                    span = measured(span, text)
                yield from self.foreign(text, position, span.start)
                yield span
                position = span.end
        yield from self.foreign(text, position, len(text))

    def carried(self, match: re.Match[str], whole: str, carry: Carry) -> str | None:
        """A literal of a text in the translation; nothing, if it is left to the network."""
        text = whole[match.start() : match.end()]
        if match.lastgroup == "number":
            return rendered(match, self.source, self.target, carry)
        if match.lastgroup == "code":
            return text if any(map(str.isdigit, text)) and any(map(str.isalpha, text)) else None
        return text

    def foreign(self, text: str, start: int, end: int) -> Iterator[Span]:
        """Runs of foreign signs, such as °C, and words with foreign letters, in a part of a text."""
        part = text[start:end]
        strange = "".join(filter(self.is_foreign, set(part) - self.characters))
        if strange:
            signs = re.escape("".join(c for c in strange if not c.isalnum())) or "\0"
            letters = re.escape("".join(filter(str.isalnum, strange))) or "\0"
            more = r"\w*" if self.spaced else ""
            for match in re.finditer(rf"[{signs}]+(?:[A-Z]\b)?|(?:{more}[{letters}])+{more}", part):
                yield Span(start + match.start(), start + match.end(), match[0])

    def is_foreign(self, character: str) -> bool:
        """Whether a character that the vocabulary does not spell is a symbol, or a letter of a script unknown to it.

        Others, such as rare letters and digits of a script that it knows, a network has learned to spell in bytes.
        """
        category = unicodedata.category(character)
        sign = category == "No" or (category.startswith("S") and not character.isascii())  # No is of km², ½
        return sign or character in TECHNICAL or self.unread(character) > 0

    def unread(self, text: str) -> int:
        """How many letters of a text are of scripts unknown to the vocabulary."""
        return sum(letter.isalpha() and script(letter) not in self.scripts for letter in text)


@lru_cache(4096)
def script(character: str) -> str:
    """The script of a letter, which its name begins with: LATIN, CYRILLIC, CJK; nothing for other characters."""
    return unicodedata.name(character, "").split(" ")[0] if character.isalpha() else ""
