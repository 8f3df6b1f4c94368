import random
import time

import pytest

from data.segment import Segment, is_code, is_mark, join, split

ALPHABET = " \n\t.!?-|*)。，,;:\"'aBc3DrI“”–\u0301\u200d\xa0\u2028…"


def texts(text: str) -> list[str]:
    return [segment.text for segment in split(text)]


@pytest.mark.parametrize(
    "sentences",
    [
        ["Er kam am 3. Oktober z. B. nach Berlin.", "Dr. Müller war da!", "Gut?", "Ende."],
        ["Im 19. Jahrhundert war das anders.", "Usw. usf.", "Danach ging er."],
        ["He is 30.", "She is 25.", "I paid 3.50 dollars at www.example.org/a.b?c.", "So do I.", "He left."],
        ["J. R. R. Tolkien wrote it.", "The U.S. Senate met.", "I live in the U.S.", "He does not."],
        ["See No. 5 on p. 7.", "No.", "He refused, e.g. Bob."],
        ["Mr. Smith met Mrs. Jones.", "They talked…", "Then silence."],
        ["M. Dupont est là.", "Mme. Durand aussi !", "Où ?", "Ici, cf. Paris."],
        ["El Sr. García llegó.", "¿Qué quería?", "¡Nada!"],
        ['"Komm!" sagte er.', "„Nein!“", "Sie ging."],
        ["e.g. this is one.", "(And another.)", "«Et voilà.»", "3.5 is a number."],
    ],
)
def test_sentences_are_told_apart(sentences: list[str]) -> None:
    assert texts(" ".join(sentences)) == sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (
            "- Wohin gehst du?\n– Weiß nicht.\n  * Nach Hause",
            ["-", "Wohin gehst du?", "–", "Weiß nicht.", "*", "Nach Hause"],
        ),
        ("## Titel\n> Zitat - mit Strich\n>> Noch eins", ["##", "Titel", ">", "Zitat - mit Strich", ">>", "Noch eins"]),
        (
            "a) Eins\nB) Zwei\n  iii) drei\n(c) vier\nab) fünf\nPlan (a) geht",
            ["a)", "Eins", "B)", "Zwei", "iii)", "drei", "(c)", "vier", "ab) fünf", "Plan (a) geht"],
        ),
        (
            "I) Eins\nII) Zwei\n(IV) vier\nx) y\n(I) nehme an\n(s) Stück",
            ["I)", "Eins", "II)", "Zwei", "(IV)", "vier", "x)", "y", "(I) nehme an", "(s) Stück"],
        ),
        ("1) Eins\n(2) Zwei\n1. Drei\n3. Oktober", ["1)", "Eins", "(2)", "Zwei", "1. Drei", "3. Oktober"]),
        ("| Name | Preis |\n|---|---|", ["|", "Name", "|", "Preis", "|", "|---|---|"]),
        ("-5 Grad, a|b und (siehe a) Punkt eins", ["-5 Grad, a|b und (siehe a) Punkt eins"]),
        ("> > Zitat\n- [ ] Aufgabe", [">", ">", "Zitat", "-", "[ ]", "Aufgabe"]),
        ("Wenn |x| größer ist, P(A | B) und {x | x > 0}", ["Wenn |x| größer ist, P(A | B) und {x | x > 0}"]),
        ("|x| ist | y", ["|x| ist | y"]),
        (
            "Start | Über uns | Kontakt\nP(A | B) + P(B | C)",
            ["Start", "|", "Über uns", "|", "Kontakt", "P(A | B) + P(B | C)"],
        ),
        ("------- Anhang\n--- Ende", ["------- Anhang", "---", "Ende"]),
        ("Erst a | b\n| c | d", ["Erst a | b", "|", "c", "|", "d"]),
        ("♪ Lalala ♪", ["♪", "Lalala ♪"]),
    ],
)
def test_marks_of_lists_and_tables_are_no_part_of_sentences(text: str, sentences: list[str]) -> None:
    assert [one for one in texts(text) if one] == sentences


@pytest.mark.parametrize(
    ("text", "count"),
    [("hast du zeit? wollen wir gehen", 2), ("hilfe!! bitte komm", 2), ("„Wer?“ fragte sie", 1), ("x = a ? b : c", 1)],
)
def test_questions_and_calls_end_before_small_letters_too(text: str, count: int) -> None:
    assert len(split(text)) == count
    assert join(split(text)) == text


def test_chinese_sentences_need_no_space() -> None:
    assert split("你好。我是李。“好！”他说？") == [
        Segment("你好。", ""),
        Segment("我是李。", ""),
        Segment("“好！”", ""),
        Segment("他说？", ""),
    ]


def test_line_ends_always_split_and_space_is_kept() -> None:
    assert split("  eins\r\n\r\n zwei \t\n") == [
        Segment("", "  "),
        Segment("eins", "\r\n\r\n "),
        Segment("zwei", " \t\n"),
    ]


def test_nothing_gives_nothing_and_space_alone_is_kept() -> None:
    assert split("") == []
    assert split(" \n ") == [Segment("", " \n ")]


def test_a_long_sentence_is_cut_at_the_best_place() -> None:
    assert [s.text for s in split("one two, three; four five, six seven", 24)] == [
        "one two, three;",
        "four five, six seven",
    ]
    assert [s.text for s in split("one two three, four five six", 22)] == ["one two three,", "four five six"]
    assert [s.text for s in split("one two three four", 10)] == ["one two", "three four"]
    assert [s.text for s in split("我们走吧，他们不来", 6)] == ["我们走吧，", "他们不来"]


def test_a_hard_cut_leaves_accents_with_their_letters() -> None:
    assert [s.text for s in split("xxe\u0301yy", 3)] == ["xx", "e\u0301y", "y"]


def test_any_text_comes_back_exactly() -> None:
    rng = random.Random(1)
    for _ in range(20_000):
        text = "".join(rng.choices(ALPHABET, k=rng.randrange(40)))
        longest = rng.randrange(1, 30)
        segments = split(text, longest)
        assert join(segments) == text
        for index, (sentence, separator) in enumerate(segments):
            assert sentence == sentence.strip()
            assert len(sentence) <= longest
            assert not separator.strip()
            assert sentence or index == 0


@pytest.mark.parametrize(
    "text",
    [
        " " * 200_000,
        "a" * 200_000,
        ". " * 100_000,
        "。" * 200_000,
        '"' * 100_000 + " a",
        ("-" * 45 + "x\n") * 4000,
        ("#" * 44 + " x\n") * 4000,
        "- " * 100_000,
        "a | " * 50_000,
        "| a" * 70_000,
        "```\n" * 50_000,
        "".join("`" * (3 + i % 400) + "a\n" for i in range(1000)),
    ],
)
def test_hostile_texts_take_no_longer_than_plain_ones(text: str) -> None:
    start = time.perf_counter()
    assert join(split(text)) == text
    assert time.perf_counter() - start < 10


@pytest.mark.parametrize(
    "text",
    [
        "Die Temperatur darf max. 25 Grad betragen, es dauert mind. 2 Wochen.",
        "Sie haften gem. § 5 des Vertrags.",
        "Nehmen Sie tgl. 2 Tabletten, d. h. Sie nehmen z. B. Ihre und z.B. Meine.",
        "Wir feiern den 100. Geburtstag meiner Oma am 24.12. Abends.",
        "150. Jahrestag",
        "Müller & Co. KG, Hauptstr. 5, Kundennr. 12.345, 5 Min. Fußweg, Art.-Nr. 12345, Dipl.-Ing. Müller",
        "Fam. Maier climbed Mt. Everest from Apt. 5.",
    ],
)
def test_german_abbreviations_are_inside_a_sentence(text: str) -> None:
    assert [one.text for one in split(text)] == [text]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("He changed his mind.", "Peter left."),
        ("Das ist Max.", "Peter kennt ihn."),
        ("Es sind 150.", "Peter kommt."),
        ("What a gem.", "Peter found it."),
        ("Wir wohnen in einer WG.", "Peter kocht."),
        ("He is a Jew.", "Peter is not."),
        ("Es dauert 5 Min.", "Danach gehen wir."),
        ("Das war am 24.12.", "Danach kam Peter."),
        ("Dort ist die Str.", "Peter wohnt da."),
        ("Ich komme am 3.5.", "Bis dann!"),
    ],
)
def test_words_that_look_like_abbreviations_end_a_sentence(first: str, second: str) -> None:
    assert [one.text for one in split(f"{first} {second}")] == [first, second]


def test_marks_before_a_capital_end_a_sentence_without_a_space() -> None:
    assert [one.text for one in split("Danke!Bis morgen. Was?Ja! A?B, Yahoo!Inc und C!D")] == [
        "Danke!", "Bis morgen.", "Was?", "Ja!", "A?B, Yahoo!", "Inc und C!D",
    ]  # fmt: skip


def test_dots_between_words_end_a_sentence_without_a_space() -> None:
    text = "Ich weiß nicht...vielleicht morgen. Na ja…gut, v1...v2"
    assert [one.text for one in split(text)] == ["Ich weiß nicht...", "vielleicht morgen.", "Na ja…", "gut, v1...v2"]
    assert join(split(text)) == text


def test_tabs_part_cells() -> None:
    text = "Haus\tDas Haus ist groß.\t\tgroß\n\tGarten \t und so"
    assert [one.text for one in split(text)] == ["Haus", "Das Haus ist groß.", "groß", "Garten", "und so"]
    assert join(split(text)) == text


def test_when_subtitles_are_shown_is_not_translated() -> None:
    cues = ["WEBVTT", "00:01.000 --> 00:04.000 align:start", "100:00:05,500 --> 100:00:07,000"]
    text = "\n".join(f"{cue}\nGuten Morgen!\n" for cue in cues)
    assert [is_code(one.text) for one in split(text)] == [True, False] * 3
    assert not any(map(is_code, ("WEBVTT ist ein Format", "00:01.000", "--> 00:04.000")))


@pytest.mark.parametrize("fence", ["```", "~~~~"])
def test_a_fenced_block_is_one_segment(fence: str) -> None:
    code = f"{fence}python\nprint('Guten Tag. Wie geht es?')\n\n# {'lang ' * 200}\n{fence}"
    text = f"Siehe hier. So:\n\n{code}\nDanke.\n{fence} offen\nAlso. Ja."
    found = [one.text for one in split(text)]
    assert found == ["Siehe hier.", "So:", code, "Danke.", f"{fence} offen", "Also.", "Ja."]
    assert [is_code(one) for one in found] == [False, False, True, False, False, False, False]
    assert (is_mark(f"{fence}python"), is_mark(f"{fence} offen"), is_mark("``")) == (True, False, False)
    assert join(split(text)) == text
