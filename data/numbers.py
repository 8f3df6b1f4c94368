"""Numbers as another language writes them."""

from __future__ import annotations

import re

from data.languages import number_marks

SIGNS = "+−-"
START, END = rf"(?<!\w)(?<!\d[.,:/])(?:(?<!-)[{SIGNS}](?=\d))?", r"(?!\w|[.,:/-]\d)"
NUMBER = (
    rf"(?<!\d ){START}\d{{1,3}}(?: \d{{3}})+(?:[.,]\d+)?{END}(?! \d)"  # 12 345,67
    rf"|{START}\d+(?: \d+){{2,}}{END}"  # 555 123 4567
    rf"|{START}\d+(?:[.,:/-]\d+)*{END}"
)
NAMED = re.compile(r"(?:\b[A-Z]\w*|\b[Vv]ersions?|\bv) ?$")  # before 3.11 in "Python 3.11", which is no decimal number
LONG = 5  # digits that make a number long
YEARS = range(1000, 2101)


def rendered(text: str, before: str, source: str, target: str) -> str | None:
    """A number in the translation, or nothing where a network does better: small ones, years, times of day.

    Args:
        text: what NUMBER finds.
        before: what stands before it.
        source: its language.
        target: the language of the translation.
    """
    digits = text.lstrip(SIGNS)
    bounds = digits.split("-")  # of a range
    anew = [converted(bound, before, source, target) for bound in bounds]
    if any(anew):
        return text[: -len(digits)] + "-".join(new or bound for new, bound in zip(anew, bounds, strict=True))
    parts = re.split("[.,:/ -]", digits)
    count = sum(map(len, parts))
    odd = len(parts) > 2 or (len(parts) == 1 and count == 4 and int(digits) not in YEARS)
    return text if odd or count >= LONG or (digits[0] == "0" and count > 1) else None


def converted(digits: str, before: str, source: str, target: str) -> str | None:
    """A number that has marks of the source language, or spaces, with those of the target language."""
    marks, others = number_marks(source), number_marks(target)
    if marks is None or others is None:
        return None
    group, decimal = re.escape(marks.group), re.escape(marks.decimal)
    grouped = rf"(\d{{1,3}}(?:(?:{group}\d{{3}})+|(?: \d{{3}})+))(?:{decimal}\d+)?"
    found = re.fullmatch(rf"{grouped}|\d+{decimal}\d+", digits)
    if found is None:
        return None
    if found[1] is None and marks.decimal == "." and NAMED.search(before):
        return digits
    swap = {" ": others.group, marks.group: others.group, marks.decimal: others.decimal}
    return "".join(swap.get(c, c) for c in digits)
