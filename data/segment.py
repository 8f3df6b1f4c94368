"""Sentences of a longer text with the white space between them, so that the text can be put together again exactly."""

from __future__ import annotations

import re
import sys
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from data.wrapping import soft_breaks

LONGEST = 400  # characters
CONTEXT = 48  # characters beside a gap that are looked at
MARKS = 16  # in a row that are never cut from their character; no language has more
OPENERS = "\"'“„‚‘«»‹›([{¿¡"
CLOSERS = "\"'”“’‘»«›‹)]}」』）】》"
ENDERS = ".!?…"
ASKED = ("?", "!")  # which end a sentence before a small letter, too, as many people type
BULLETS = "-–—*+#>•·◦▪‣♪"
BAR = "|"  # between the cells of a table
MAY_END = frozenset(CLOSERS + ENDERS + BULLETS + BAR)
LINE_ENDS = r"\n\r\v\f\x85\u2028\u2029"
CELL_END = re.compile(f"[{LINE_ENDS}\t]")
BULLET = f"[{re.escape(BULLETS)}]"
ITEM = r"\(?(?:\d{1,3}|[a-hA-H]|[ivx]{2,4}|[IVX]{2,4})\)|[i-zI-Z]\)"  # and not (I) or (s), which are words
LIST_MARK = re.compile(  # from the beginning of a line up to where one looks; each sign can be read in one way alone
    rf"(?:\A|(?<=[{LINE_ENDS}]))(?:[ \t]*(?:{BULLET}{{1,6}}(?!{BULLET})|\[[ xX]\]|{ITEM}))+\Z"
)
CELL = rf"[^{LINE_ENDS}|([{{]*"
TABLE_ROW = re.compile(  # begins with a bar, or has two with white space around and no bracket before them
    rf"(?:\A|(?<=[{LINE_ENDS}]))(?:[ \t]*[|](?=\s)|{CELL}(?<=\s)[|](?=\s){CELL}(?<=\s)[|](?=\s))[^{LINE_ENDS}]*"
)
GAP = re.compile(  # the last two as in "well...no" and "Thanks!See you"
    r"[。！？｡]+[」』”’）】》\"')\]]*\s*|\s+|(?<=\w)(?:\.{3,}|…)(?=[^\W\d_]{2})"
    r"|(?<=[^\W\d_][^\W\d_])[?!](?=[A-ZÄÖÜ][a-zäöüß' ])"
)
FENCE = re.compile(r"^[ \t]*(?P<fence>`{3,}+|~{3,}+)(?P<info>[^\n`]*)$", re.MULTILINE)  # begins or ends code
CUE = re.compile(r"WEBVTT|(?:\d+:)?\d\d:\d\d[.,]\d{3} --> (?:\d+:)?\d\d:\d\d[.,]\d{3}(?: .*)?")
WORD = re.compile(r"\w+")
DOTTED = re.compile(r"(?:\w\.)+\w")
NO_SPACE = re.compile(r"\S")
BEFORE_SPACE = re.compile(r"(?<=\S)(?=\s)")
SOFT_CUTS = tuple(re.compile(cut) for cut in (r"[;:](?=\s)|\s[–—](?=\s)|[；：]", r"[,)](?=\s)|[，、]"))


def words(text: str) -> frozenset[str]:
    """The words of a text as a set."""
    return frozenset(text.split())


# A full stop after these is inside a sentence.
ABBREVIATIONS = words("""
    dr prof mr mrs ms messrs jr sr sra srta dña st ste mme mlle mm hr fr frl dipl ing med phil habil gen gov sen rep col
    sgt capt lt cmdr rev hon ud uds vd vds dª bzw ca evtl ggf sog vgl inkl exkl zzgl abzgl bspw eigtl geb gest gegr mio
    mrd vs cf approx env av blvd avda tel ext incl excl dept univ fam fa mt
""")
# And after these, if they are in small letters.
SMALL = words("tgl mtl ehem einschl ausschl insb bes allg urspr versch jew zw wg")
# So it is after these, unless a word follows that begins sentences.
AMOUNTS = words("min std sek stck tsd ft co")
# So it is after these, if a number or § follows.
NUMBERED = words("""
    no nr nos s p pp pág págs art fig figs abb tab kap vol vols bd abs sec eq num núm n jan feb mar apr jun jul aug sep
    sept oct okt nov dec dez janv févr avr juil déc ene abr ago dic str
    max mind gem apt
""")
ENDINGS = ("str", "nr")  # which German puts behind words, as in Hauptstr., Kundennr.
# Behind these a sentence goes on, whatever follows.
GOES_ON = re.compile(r"\b(?:z\. ?B|d\. ?h|u\. ?[aU]|i\. ?d\. ?R|i\. ?[AV]|m\. ?E)\.\Z")
DATE = re.compile(r"\d\d?\.\d\d?")
# An ordinal number of three digits follows these: "seinen 100. Geburtstag".
BEFORE_ORDINAL = words("""
    der die das den dem des zum zur am beim vom im ins jeder jede jeden jedem jedes ein eine einen einem einer eines
    mein meinen meinem meines sein seinen seinem seines ihr ihren ihrem ihres unser unseren unserem unseres
""")
# These begin a sentence and never follow an ordinal number ("3. Oktober") or dotted letters ("U.S. Senate").
STARTERS = words("""
    I You He She It We They This That These Those The A An There Then But And So If When What Who Where Why How My Your
    His Her Its Our Their Yes No Ich Du Er Sie Es Wir Ihr Das Der Die Ein Eine Dies Diese Dieser Dann Danach Aber Und
    Doch Wenn Was Wer Wo Warum Wie Mein Meine Sein Seine Ihre Ja Nein Je Tu Il Elle Nous Vous Ils Elles On Ce Cette Le
    Bis Bitte Viele Danke Please Thanks Best See
    La Les Un Une Et Mais Puis Oui Non Yo Tú Él Ella Nosotros Ellos Ellas El Los Las Una Esto Ese Esa Y Pero Entonces Sí
""")


class Segment(NamedTuple):
    """A sentence without white space at its ends, and the white space (or nothing) after it."""

    text: str
    separator: str


def split(text: str, longest: int = LONGEST) -> list[Segment]:
    """Split a text in German, English, French, Spanish or Chinese into sentences; `join` is the exact inverse.

    Tabs and line ends split, but for those that a width made (see data.wrapping). Marks of lists, quotations and
    headings at the beginning of a line are segments of their own, and so are bars between the cells of a table. White
    space at the start becomes a segment with an empty text, the only one there is. Sentences of more than `longest`
    characters are cut at the best punctuation or space, else anywhere between characters. A fenced block of code is one
    segment.
    """
    segments = []
    start = 0
    for gap_start, gap_end in (*gaps(text), (len(text), len(text))):
        sentence, separator = text[start:gap_start], text[gap_start:gap_end]
        if is_code(sentence):
            segments.append(Segment(sentence, separator))
        elif sentence:
            *cuts, (rest, _) = shorten(sentence, longest)
            segments += [*cuts, Segment(rest, separator)]
        elif separator:
            segments.append(Segment("", separator))
        start = gap_end
    return segments


def join(segments: Iterable[Segment]) -> str:
    """Put segments together again."""
    return "".join(text + separator for text, separator in segments)


def gaps(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of the white space between sentences; empty after a Chinese full stop."""
    rows = [match.span() for match in TABLE_ROW.finditer(text)] if BAR in text else []
    fenced = blocks(text)
    soft = soft_breaks(text)
    for match in GAP.finditer(text):
        end = match.end()
        if fenced and is_within(match.start(), fenced):
            continue
        if match[0] == " " and 1 < end < len(text) and text[end - 2] not in MAY_END and text[end] != BAR:
            continue  # between two words, as most are: no need to look closer
        start = match.start() + len(match[0].rstrip())
        first_or_last = start == 0 or end == len(text)
        wide = not match[0][0].isspace()
        goes_on = match.start() in soft
        line_end = not goes_on and CELL_END.search(text, start, end) is not None
        before, after = text[max(0, start - CONTEXT) : start], text[end : end + CONTEXT]
        mark = not goes_on and LIST_MARK.search(text, max(0, start - CONTEXT), start) is not None
        if wide or first_or_last or line_end or mark or beside_bar(text, start, end, rows) or ends(before, after):
            yield start, end


def blocks(text: str) -> list[tuple[int, int]]:
    """Where the fenced blocks of code of a text begin and end, as Markdown has them."""
    found, first = list[tuple[int, int]](), None
    for match in FENCE.finditer(text):
        if first is None:
            first = match
        elif match["fence"].startswith(first["fence"]) and not match["info"].strip():
            found.append((first.start("fence"), match.end("fence")))
            first = None
    return found


def is_within(place: int, spans: Sequence[tuple[int, int]]) -> bool:
    """Whether a place is in one of some spans, which are in their order."""
    before = bisect_right(spans, (place, sys.maxsize)) - 1
    return before >= 0 and spans[before][0] < place < spans[before][1]


def is_code(segment: str) -> bool:
    """Whether a segment is a fenced block of code, or tells when subtitles are shown, which is not translated."""
    if CUE.fullmatch(segment):
        return True
    return segment.startswith(("```", "~~~")) and blocks(segment) == [(0, len(segment))]


def is_mark(segment: str) -> bool:
    """Whether a segment is a list's mark, a table's bar or a fence of code, such as ```python."""
    fence = FENCE.fullmatch(segment) is not None and " " not in segment
    return segment == BAR or fence or LIST_MARK.match(segment) is not None


def beside_bar(text: str, start: int, end: int, rows: Sequence[tuple[int, int]]) -> bool:
    """Whether the white space of a text from `start` to `end` parts a bar from a cell, in a row of a table."""
    row = bisect_right(rows, (start, len(text))) - 1
    if row < 0 or start > rows[row][1]:
        return False
    before, after = text[max(0, start - 2) : start], text[end : end + 2]
    return before.strip() == BAR or after.strip() == BAR


def ends(before: str, after: str) -> bool:
    """Whether a sentence ends at the white space between `before` and `after`."""
    if before[-1:] in ASKED and not before[-2:-1].isspace() and after[:1].islower():
        return True  # nobody speaks here whom the sentence names after it: '"Who?" she asked'
    before, after = before.rstrip(CLOSERS), after.lstrip(OPENERS)
    if not before or before[-1] not in ENDERS or after[:1].islower():
        return False
    return not before.endswith(".") or before.endswith("..") or not abbreviated(before, after)


def abbreviated(before: str, after: str) -> bool:
    """Whether the full stop at the end of `before` belongs to an abbreviation, initial, date or ordinal number."""
    *earlier, whole = before.split()
    whole = whole.lstrip(OPENERS).removesuffix(".")
    word = whole.rpartition("-")[2]  # Art.-Nr., Dipl.-Ing.
    following = WORD.match(after)
    starts = following is not None and following[0] in STARTERS
    if word.lower() in ABBREVIATIONS or word in SMALL or (DOTTED.fullmatch(word) and word.islower()):
        return True
    if GOES_ON.search(before):
        return True
    if (after[:1].isdigit() or after[:1] == "§") and (word.lower() in NUMBERED or word.lower().endswith(ENDINGS)):
        return True
    initial = len(word) == 1 and word.isalpha() and word != "I"
    within = initial or word.lower() in AMOUNTS or is_ordinal(whole, earlier) or DATE.fullmatch(whole)
    return not starts and bool(within or DOTTED.fullmatch(word))


def is_ordinal(word: str, earlier: Sequence[str]) -> bool:
    """Whether a number may be an ordinal one, by its length and the words before it."""
    short = len(word) <= 2 or (len(word) == 3 and (not earlier or earlier[-1].lower() in BEFORE_ORDINAL))
    return word.isdigit() and short


def shorten(sentence: str, longest: int) -> Iterator[Segment]:
    """Cut a sentence until no part has more than `longest` characters."""
    start = 0
    while len(sentence) - start > longest:
        cut = start + best_cut(sentence[start : start + longest + 1])
        following = NO_SPACE.search(sentence, cut)
        end = following.start() if following else len(sentence)
        yield Segment(sentence[start:cut], sentence[cut:end])
        start = end
    yield Segment(sentence[start:], "")


def best_cut(window: str) -> int:
    """Where to end a part: after punctuation in the second half, else before the last space, else anywhere."""
    longest = len(window) - 1
    for pattern, begin in ((SOFT_CUTS[0], longest // 2), (SOFT_CUTS[1], longest // 2), (BEFORE_SPACE, 0)):
        if places := [match.end() for match in pattern.finditer(window, begin) if match.end() <= longest]:
            return places[-1]
    nearby = range(longest, max(0, longest - MARKS), -1)
    return next((place for place in nearby if not joined(window[place])), longest)


def joined(character: str) -> bool:
    """Whether a character belongs to the one before it."""
    return unicodedata.combining(character) > 0 or character in "\u200c\u200d\ufe0f" or "🏻" <= character <= "🏿"
