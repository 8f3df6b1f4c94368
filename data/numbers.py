"""Numbers as another language writes them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Literal, TypeAlias

from data.languages import half_hour, number_marks, number_words

SIGNS = "+−-"
START, END = rf"(?<!\w)(?<!\d[.,:/])(?:(?<!-)[{SIGNS}](?=\d))?", r"(?!\w|[.,:/-]\d)"
UNIT = r"(?:EUR|USD|CHF|GBP|(?:[cdkm]?m|qm)[²³]?|[km]?g|t|[cdm]?l|ha|[kMG]?Wh?|mAh|[kMGT]B)(?!\w)"
GLUED_NUMBER = rf"{START}\d+(?:[.,]\d+)+(?={UNIT})"  # 1.250,50EUR
NUMBER = (
    rf"{START}\d+ \d{{1,2}}/\d{{1,2}}{END}|"  # 1 1/2
    rf"(?<!\d ){START}\d{{1,3}}(?: \d{{3}})+(?:[.,]\d+)?{END}(?! \d)"  # 12 345,67
    rf"|{START}\d+(?: \d+){{2,}}{END}"  # 555 123 4567
    rf"|{START}\d{{1,3}}(?:\.\d{{3}})*[.,][–—-]{{1,2}}(?![\w–—-])"  # 1.250,-
    rf"|{GLUED_NUMBER}"
    rf"|{START}\d+(?:[.,:/-]\d+)*{END}"
)
CURRENCY = "EUR|USD|CHF|GBP|JPY|CAD|AUD|SEK|NOK|DKK|PLN|CZK"
BEGINS = (  # with a capital, and names nothing
    "About|Over|Nearly|Almost|Only|The|An?|In|By|Some|Around|Under|With|And|Add|Mix|Use|Drive|Wait|Total|Of|From|To|For|Just"
    "|Roughly|Approximately|January|February|March|April|May|June|July|August|September|October|November|December"
)
PARTS = (
    r"versions?|v|sections?|sec\.|chapters?|figures?|fig\.|tables?|steps?|clauses?|paragraphs?|articles?|release|rev\."
)
NAMED = re.compile(  # before 3.11 in "Python 3.11", "iOS 3.11" and "sections 3.10 and 3.11", which is no decimal number
    rf"(?:\b(?!(?:{CURRENCY}|{BEGINS})\b)[A-Z]\w*\.?|\b[a-z]+[A-Z]\w*"
    rf"|\b(?i:{PARTS})(?: \d+(?:\.\d+)+(?:,| and| or| to)?)*) ?$"
)
NUMBERED = re.compile(r"(?:\b(?:Nr|No)\.|\w*(?:nummer|number|nr\.)):? ?$", re.IGNORECASE)  # before 12.345, no quantity
NO_CENTS = re.compile(r"[.,][–—-]{1,2}$")
COUNTS = re.compile(rf" ?(?:[€$£%°]|[^\W\d_a-z][^\W\d_]|(?:[a-z]+s|people)\b|{UNIT})")  # behind 12 000
MEASURES = re.compile(
    rf" ?(?:[€$£%°]|{UNIT})"
    r"| (?:[mb]illion|hours|minutes|seconds|days|weeks|months|years|miles|cups|lit(?:er|re)s|percent|stars|points"
    r"|tablespoons|teaspoons)\b"
)
POINT = re.compile(r"\d+\.\d\d?")
WORD = re.compile(r" [^\W\d_]")
SEVERAL = re.compile(r"\d\D+\d")
LONG = 5  # digits that make a number long
YEARS = range(1000, 2101)
DIGITS = re.compile(r"\d+")
AFTERNOON = {str(hour): str(hour - 12) for hour in range(13, 24)}  # o'clock, which some languages count from noon

Carry: TypeAlias = Literal["rule", "all", "times", "none"]  # rule: those that count something, of several


def rendered(match: re.Match[str], source: str, target: str, carry: Carry = "rule") -> str | None:
    """A number in the translation, or nothing where a network does better: small ones, years, times of day.

    Of several numbers in one sentence a network makes others ("3 Bücher für 45 Euro" became "35 books"); so there it
    keeps those only that no word follows, as in dates, and years.

    Args:
        match: what NUMBER finds in a sentence.
        source: its language.
        target: the language of the translation.
        carry: which of the numbers to keep that a network may do better.
    """
    text, sentence, end = match[0], match.string, match.end()
    digits = NO_CENTS.sub("", text.lstrip(SIGNS))
    half = half_hour(source)
    if half and sentence[: match.start()].lower().endswith(f"{half.words} "):
        return None  # halb 8 is 7:30
    bounds = digits.split("-")  # of a range
    anew = [converted(bound, sentence[: match.start()], source, target, sentence[end:]) for bound in bounds]
    if any(anew) or NO_CENTS.search(text):
        return text[: text.index(digits)] + "-".join(new or bound for new, bound in zip(anew, bounds, strict=True))
    parts = re.split("[.,:/ -]", digits)
    count = sum(map(len, parts))
    long = len(parts) > 2 or count >= LONG or (digits[0] == "0" and count > 1)
    if long or (len(parts) == 1 and count == 4 and int(digits) not in YEARS):
        return text
    counted = WORD.match(sentence, end) is not None and SEVERAL.search(sentence) is not None
    by_rule = counted and len(parts) == 1 and count < 4 and digits != "0"
    return text if {"rule": by_rule, "all": True, "times": len(parts) == 2, "none": False}[carry] else None


def converted(digits: str, before: str, source: str, target: str, after: str = "") -> str | None:
    """A number that has marks of the source language, or spaces, with those of the target language.

    So is one with a decimal point where the source has a comma, as many write; spaces may be those of a telephone's
    number or a code, unless something counted follows.
    """
    marks, others = number_marks(source), number_marks(target)
    if marks is None or others is None:
        return None
    group, decimal = re.escape(marks.group), re.escape(marks.decimal)
    grouped = rf"(\d{{1,3}}(?:(?:{group}\d{{3}})+|(?: \d{{3}})+))(?:{decimal}\d+)?"
    found = re.fullmatch(rf"{grouped}|\d+{decimal}\d+", digits)
    if found is None:
        return digits if marks.decimal == "," and others.decimal == "." and POINT.fullmatch(digits) else None
    if " " in digits and marks.decimal not in digits and not COUNTS.match(after):
        return None
    if NUMBERED.search(before):
        return digits
    if found[1] is None and marks.decimal == "." and NAMED.search(before) and not MEASURES.match(after):
        return digits
    swap = {" ": others.group, marks.group: others.group, marks.decimal: others.decimal}
    return "".join(swap.get(c, c) for c in digits)


def left(text: str, source: str) -> tuple[str, ...]:
    """Groups of digits of a text that its translation should hold, and not those that name a half hour otherwise."""
    half = half_hour(source)
    return tuple(DIGITS.findall(re.sub(rf"(?i)\b{half.words} \d\d?\b", "", text) if half else text))


def missing(numbers: Iterable[str], translation: str, target: str) -> list[str]:
    """Groups of digits of a text that its translation seems to lack: in digits, in words that are known, as hours.

    Zeros, as in 8:00, nobody misses.

    Args:
        numbers: what DIGITS finds in the text.
        translation: of the text.
        target: its language.
    """
    words = number_words(target)
    there = {meaning for one in DIGITS.findall(translation) for meaning in meanings(one)}
    there |= {str(words[one]) for one in re.findall(r"\w+", translation.lower()) if one in words}
    return [one for one in dict.fromkeys(numbers) if one.strip("0") and there.isdisjoint(meanings(one))]


def made_up(numbers: Iterable[str], translation: str) -> list[str]:
    """Groups of digits of a translation that its text, which has those numbers, does not have, or not as often."""
    there, found = Counter(meaning for one in numbers for meaning in meanings(one)), DIGITS.findall(translation)
    there.subtract(meaning for one in found for meaning in meanings(one))
    return [
        one for one in dict.fromkeys(found) if one.strip("0") and all(there[meaning] < 0 for meaning in meanings(one))
    ]


def meanings(digits: str) -> set[str]:
    """What a group of digits may mean: 05 is 5, 15 may be 3 o'clock."""
    bare = digits.lstrip("0")
    return {bare, AFTERNOON.get(bare, bare)}
