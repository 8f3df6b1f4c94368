"""What a language's code tells of how it is written."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

CHINESE = ("zh", "cmn", "yue")
UNPARTED_LETTERS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"  # no spaces part these
UNPARTED = ("ja", "th", "lo", "km", "my")  # whose words nobody parts either

NAMES = {
    "ar": "Arabic", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish",
    "fi": "Finnish", "fr": "French", "hu": "Hungarian", "it": "Italian", "ja": "Japanese", "ko": "Korean",
    "nl": "Dutch", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sv": "Swedish",
    "tr": "Turkish", "uk": "Ukrainian", "zh": "Chinese",
}  # fmt: skip


class NumberMarks(NamedTuple):
    """How a language writes large and broken numbers."""

    group: str  # between thousands
    decimal: str


# As the Unicode CLDR has them (by Babel 2.19), a no-break space being a space; of others nothing is known here.
NUMBER_MARKS = {
    **dict.fromkeys(("en", "ja", "ko", "th", "he", *CHINESE), NumberMarks(",", ".")),
    **dict.fromkeys(("ca", "da", "de", "el", "es", "hr", "id", "it"), NumberMarks(".", ",")),
    **dict.fromkeys(("nl", "pt", "ro", "sl", "sr", "tr", "vi"), NumberMarks(".", ",")),
    **dict.fromkeys(("af", "bg", "cs", "et", "fi", "fr", "gl", "hu", "lt", "lv"), NumberMarks(" ", ",")),
    **dict.fromkeys(("nb", "nn", "no", "pl", "ru", "sk", "sv", "uk"), NumberMarks(" ", ",")),
}

NUMBERS = (*range(2, 21), 30, 40, 50, 60)
NUMBER_WORDS = {  # of the numbers above; of others, and of other languages, nothing is known here
    "de": "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn"
    " siebzehn achtzehn neunzehn zwanzig dreißig vierzig fünfzig sechzig",
    "en": "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
    " seventeen eighteen nineteen twenty thirty forty fifty sixty",
    "es": "dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis"
    " diecisiete dieciocho diecinueve veinte treinta cuarenta cincuenta sesenta",
    "fr": "deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept"
    " dix-huit dix-neuf vingt trente quarante cinquante soixante",
    "it": "due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici"
    " diciassette diciotto diciannove venti trenta quaranta cinquanta sessanta",
    "nl": "twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien"
    " zeventien achttien negentien twintig dertig veertig vijftig zestig",
}


class HalfHour(NamedTuple):
    """How a language says 7:30: halb acht, half past seven."""

    words: str  # before the hour
    one: str  # the hour that NUMBER_WORDS has no word for
    later: int  # by how many hours the one that it names is later


LIKE = str.maketrans("ıİſ\N{KELVIN SIGN}", "iisk")
HALF_HOURS = {
    "de": HalfHour("halb", "eins", 1),
    "en": HalfHour("half past", "one", 0),
    "nl": HalfHour("half", "een", 1),
}


def primary(code: str) -> str:
    """A language without its script or region: `zh` of `zh_Hant`, `de` of `de-AT`."""
    return code.replace("_", "-").partition("-")[0].lower()


def name_of(code: str) -> str:
    """What a language is called in English; its code, where that is not known here."""
    return NAMES.get(primary(code), code)


def of_file(path: Path) -> str:
    """The language that a file's name ends with, before the suffix of compression."""
    return Path(path.name.removesuffix(".gz")).suffix.removeprefix(".")


def languages_of(direction: str) -> tuple[str, str]:
    """The source and the target of a direction: de and en of de-en."""
    source, target = direction.split("-")
    return source, target


def turned(direction: str) -> str:
    """The direction that leads back: en-de of de-en."""
    source, target = languages_of(direction)
    return f"{target}-{source}"


def has_spaces(code: str) -> bool:
    """Whether a language parts words by spaces."""
    return primary(code) not in (*CHINESE, *UNPARTED)


def parts_sentences_by_spaces(code: str) -> bool:
    """Whether a language puts a space between two sentences: all do but Chinese and Japanese."""
    return primary(code) not in (*CHINESE, "ja")


def number_marks(code: str) -> NumberMarks | None:
    """How a language writes numbers, if it is known."""
    return NUMBER_MARKS.get(primary(code))


def number_words(code: str) -> dict[str, int]:
    """What the words for some small numbers mean, as far as they are known."""
    words = NUMBER_WORDS.get(primary(code), "").split()
    return dict(zip(words, NUMBERS, strict=True)) if words else {}


def half_hour(code: str) -> HalfHour | None:
    """How a language says half hours, if it is known."""
    return HALF_HOURS.get(primary(code))


def hour_words(code: str) -> dict[str, int]:
    """What names the hours of half hours in a language, if these are known."""
    half = half_hour(code)
    return {half.one: 1} | {word: hour for word, hour in number_words(code).items() if hour <= 12} if half else {}


def folded(word: str) -> str:
    """A word in the small letters that it is known by; re.IGNORECASE takes a few more for the same."""
    return word.translate(LIKE).lower()
