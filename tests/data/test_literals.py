"""What is carried over, and what stands for it meanwhile."""

import re

import pytest

from data.glossary import glossary_of
from data.literals import Masked, Masking
from data.tokenizer import Tokenizer, TokenizerConfig, train_tokenizer

SYMBOLS = ("\ue000", "\ue001", "\ue002")
LINES = ["Franz jagt im komplett verwahrlosten Taxi quer durch Bayern", "The quick brown fox jumps over the lazy dog."]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    train_tokenizer(LINES * 20, ["de", "en"], TokenizerConfig(vocabulary_size=340, placeholders=3), path, seed=1)
    return Tokenizer.load(path)


@pytest.fixture(scope="module")
def masking(tokenizer: Tokenizer) -> Masking:
    return Masking(tokenizer, SYMBOLS, "de", "en")


def literals(masked: Masked) -> list[str]:
    return list(masked.targets.values())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Siehe https://example.org/a?b=c.", ["https://example.org/a?b=c"]),
        ("Mehr auf www.example.org oder example.com/x!", ["www.example.org", "example.com/x"]),
        ("Schreib an max.mustermann@firma.de.", ["max.mustermann@firma.de"]),
        ("Öffne C:\\Users\\anna\\brief.txt bitte.", ["C:\\Users\\anna\\brief.txt"]),
        ("Es liegt in /etc/mt/config oder ~/a/b.", ["/etc/mt/config", "~/a/b"]),
        ("Öffne die Datei bericht_2024.pdf.", ["bericht_2024.pdf"]),
        ("Danke @anna_m, siehe #Berlin", ["@anna_m", "#Berlin"]),
        (
            "Die ID 3f2504e0-4f89-11d3-9a0c-0305e82c3301 fehlt, 3F2504E0-4F89-11D3-9A0C-0305E82C3301 nicht.",
            ["3f2504e0-4f89-11d3-9a0c-0305e82c3301", "3F2504E0-4F89-11D3-9A0C-0305E82C3301"],
        ),
        ("Siehe unten[^1] und dort[^a-b]; [^2]: hier", ["[^1]", "[^a-b]", "[^2]:"]),
        ("Es sind 10^3, 10^-9 oder x^2.", ["10^3", "10^-9", "x^2"]),
        ("Mit --help, --max-size=3 oder -v --> ja", ["--help", "--max-size=3", "-v -->"]),
        ("Er ist -los, -- also -- und - so -, -ja", []),
        (
            "Server k8s-prod-01, Nummer ab12-cd34-ef56, x86_64-linux-gnu",
            ["k8s-prod-01", "ab12-cd34-ef56", "x86_64-linux-gnu"],
        ),
        ("Die 2-Zimmer-Wohnung, 25-jährig, MP3-Player, B2B-Kunden, COVID-19-Impfung, 80er-Jahre-Party", []),
        ("Drücken Sie Strg+\\ oder ^C", ["\\", "^C"]),
        (r"Es liegt auf \\server\ablage$\ordner.", [r"\\server\ablage$\ordner"]),
        ("Starte es mit `make serve` oder `a`.", ["`make serve`", "`a`"]),
        ("Wie geht`s dir und was gibt`s? Qur`an, Ka`ba, ``Ja'' und `nein' oder `doch'", []),
        ("Hallo {name}, du hast %d Nachrichten.", ["{name}", "%d"]),
        ("Der %1$s schickt %2$d an %(name)s.", ["%1$s", "%2$d", "%(name)s"]),
        ("Zu %.2f%% fertig, {{ name }}, du sparst 20 % davon und 5% Dosen", ["%.2f%%", "{{ name }}"]),
        ("<0>Klicke hier</0>, dann geh.", ["<0>", "</0>"]),
        (":-) Schön, dich zu sehen :) und tschüss ^^", [":-)", ":)", "^^"]),
        ("Danke ;-) bis dann xD", [";-)", "xD"]),
        ("Also: (a) das und 8) dies; das heißt:(b) hier", []),
        ("Klicke auf <b>Speichern</b>, dann&nbsp;geh.", ["<b>", "</b>", "&nbsp;"]),
        ("Siehe <a href='x y'>hier</a>.", ["<a href='x y'>", "</a>"]),
        ("Meine IBAN ist DE89 3704 0044 0532 0130 00.", ["DE89 3704 0044 0532 0130 00"]),
        ("Ruf +49 (0)176 4455667 an.", ["+49 (0)176 4455667"]),
        ("Ruf (030) 1234567 an.", ["(030) 1234567"]),
        ("Ruf 0176/4455667 (abends) an.", ["0176/4455667"]),
        ("Flug LH4711 am Gleis 2024-00817-B", ["LH4711", "2024-00817-B"]),
        ("Er hat 15342 Bücher für 1.250.000 Euro.", ["15342", "1,250,000"]),
        ("Nutzer anna2003 und a3f5c9e0 setzen max_length.", ["anna2003", "a3f5c9e0", "max_length"]),
        ("Tel.:030/1234567, Nr.12345", ["030/1234567", "12345"]),
        ("Er ist 1,85 m groß und wiegt 82,5 kg, auf 357,6 km².", ["1.85 m", "82.5 kg", "357.6 km²"]),
        ("Es sind 5 km² und 1½ Äpfel", ["5 km²", "1½"]),
        ("Es kostet $1.500,50 oder 1.000 $, 12,5 % mehr", ["$1,500.50", "1,000 $", "12.5 %"]),
        ("1.000 Hunde für 5 $", ["1,000"]),
        ("Es sind 1.000 mal 2.000 Hunde, 3.000 am Tag", ["1,000", "2,000", "3,000"]),
        ("Das kostet 19,99 €.", ["19.99 €"]),
        ("Es sind 25 °C.", ["°C"]),
        ("Toll 😀😀 oder 👍🏽 und ❤️", ["😀😀", "👍🏽", "❤️"]),
        ("Das Wort 你好 und Привет!", ["你好", "Привет"]),
        ("Ruf 0176 4455667 😀 an", ["0176 4455667 😀"]),
    ],
)
def test_literals_are_found(masking: Masking, text: str, expected: list[str]) -> None:
    masked = masking.mask(text)
    assert literals(masked) == expected
    assert not masked.wordless
    for symbol, source in masked.sources.items():
        assert masked.text.count(symbol) == 1
        assert source in text


@pytest.mark.parametrize(
    "text",
    [
        "Franz hat 5 Hunde.",
        "Seit 1998, um 9:45 Uhr, am 20. Oktober.",
        "Das ist so und/oder so.",
        "Der 3D-Drucker und der G8-Gipfel, 18-jährig, 100prozentig, 50%",
        "Er wohnt in Québec – „ganz“ weit weg…",  # letters and marks that the vocabulary spells in bytes
        "ICH BIN DA",
        "Ende.Anfang",
        "a < b und c > d, A & B",
        "a @ b # c { d % e | f",
    ],
)
def test_words_and_small_numbers_are_the_networks(masking: Masking, text: str) -> None:
    masked = masking.mask(text)
    assert masked._replace(language="") == Masked(text, {}, {}, numbers=tuple(re.findall(r"\d+", text)))


def test_a_translation_gets_what_its_symbols_stand_for(masking: Masking) -> None:
    masked = masking.mask("Ruf 015342 an oder x@y.de.")
    assert masked.text == f"Ruf {SYMBOLS[0]} an oder {SYMBOLS[1]}."
    translation = f"Call {SYMBOLS[1]} or {SYMBOLS[0]}."
    assert masked.restored(translation) == "Call x@y.de or 015342."
    assert masked.lost(translation) == []
    assert masked.lost(f"Call {SYMBOLS[0]} or {SYMBOLS[0]}.") == ["015342", "x@y.de"]


def test_faults_are_lost_literals_and_numbers_that_differ(masking: Masking) -> None:
    masked = masking.mask("am 3. oder 45. Oktober um 15, ruf 015342 an.")
    symbol = SYMBOLS[0]
    assert masked.exacting
    assert masked.faults(f"on the 45th or 3rd at 15:00, {symbol}") == 0
    assert masked.faults(f"three or 45, 3 p.m., {symbol}") == 0
    assert masked.faults(f"on the 3rd at 15, {symbol}") == 1
    assert masked.faults(f"on the 3rd, 35th or 45th at 15, {symbol} {symbol}") == 2
    assert masked.faults(f"on the 3rd or 3rd or 45th at 15, {symbol}") == 1
    words = masking.mask("zwanzig Hunde")
    assert (words.exacting, words.faults("20 dogs")) == (False, 0)


def test_times_of_day_are_read_from_0_to_24_and_written_as_the_target_language_has_them(masking: Masking) -> None:
    masked = masking.mask("Ruf um 22 Uhr 0176 4455667 an")
    assert masked.text == "Ruf um 22:00 Uhr \ue000 an"
    assert masked.restored("Call \ue000 at 22:00") == "Call 0176 4455667 at 10 p.m."
    masked = masking.mask("Schreib `date 22 Uhr` um 22 Uhr, siehe www.x.de/?d=3.5.2024")
    assert literals(masked) == ["`date 22 Uhr`", "www.x.de/?d=3.5.2024"]
    assert masked.text == "Schreib \ue000 um 22:00 Uhr, siehe \ue001"
    masked = masking.mask("Ruf um 22 Uhr an")
    (other,) = [one for one in masking.others("Ruf um 22 Uhr an", masked) if one.targets]
    assert (other.text, other.restored("Call at \ue000")) == ("Ruf um \ue000 Uhr an", "Call at 10 p.m.")


def test_a_term_that_is_a_time_is_not_hidden(masking: Masking) -> None:
    following = masking.following(glossary_of({"22 Uhr": "ten at night"}, "de"))
    assert following.mask("Ruf um 22 Uhr an").expected == ("ten at night",)


def test_a_term_that_is_a_literal_is_followed(masking: Masking) -> None:
    following = masking.following(glossary_of({"CO2": "carbon dioxide"}, "de"))
    text = "Die Menge an CO2 steigt."
    masked = following.mask(text)
    assert (list(masked.targets.values()), masked.expected) == (["CO2"], ("carbon dioxide",))
    assert [list(one.targets.values()) for one in following.others(text, masked)] == [["carbon dioxide"]]


def test_numbers_may_all_be_symbols_or_some_or_none(masking: Masking) -> None:
    text = "Franz hat 3 Hunde, seit 1998, um 17:45."
    masked = masking.mask(text)
    assert literals(masked) == ["3"]
    assert [literals(one) for one in masking.others(text, masked)] == [["17:45"], ["3", "1998", "17:45"], []]
    assert masking.others("Franz hat Hunde", masking.mask("Franz hat Hunde")) == []
    assert masking.others("Ruf 015342 an", masking.mask("Ruf 015342 an")) == []
    beyond = "Franz hat 3 Hunde, 1998, 7, 17:45."  # four, where there are three symbols
    assert [literals(one) for one in masking.others(beyond, masking.mask(beyond))] == [["17:45"], []]


def test_symbols_are_parted_from_words_and_literals_are_not(masking: Masking) -> None:
    masked = masking.mask("Das ist <i>sehr</i> gut, 25°C.")
    first, second, third = SYMBOLS
    assert masked.text == f"Das ist {first} sehr {second} gut, 25 {third}."
    assert masked.restored(f"25 {third} is {first} very {second} good") == "25°C is <i>very</i> good"
    assert masked.restored(f"{second}very {first}.{third}") == "</i>very <i>.°C"


def test_the_same_literal_twice_has_two_symbols(masking: Masking) -> None:
    assert literals(masking.mask("😀 ja 😀")) == ["😀", "😀"]


def test_literals_beyond_the_symbols_are_counted(masking: Masking) -> None:
    masked = masking.mask("a 😀 b 😀 c 😀 d 😀 e 😀")
    assert (len(masked.targets), masked.beyond) == (3, 2)
    assert masked.text.endswith("d 😀 e 😀")


@pytest.mark.parametrize(
    "text", ["https://example.org", "😀, 😀; 😀 … 😀!", "12.345,67 € (Привет)", "你好，世界。", "7", "17:45", "?!"]
)
def test_what_has_no_words_needs_no_translation_and_no_symbols(tokenizer: Tokenizer, text: str) -> None:
    masked = Masking(tokenizer, (), "de", "de").mask(text)
    assert masked.wordless
    assert masked.restored(masked.text) == text


def test_without_symbols_a_text_stays_as_it_is(tokenizer: Tokenizer) -> None:
    masked = Masking(tokenizer, (), "de", "en").mask("Ruf 015342 an")
    assert masked == Masked("Ruf 015342 an", {}, {}, beyond=1, numbers=("015342",), language="en")


def test_words_are_not_taken_with_what_stands_in_them_where_nobody_parts_words(tokenizer: Tokenizer) -> None:
    text = "dasПривет你→taxi"
    assert literals(Masking(tokenizer, SYMBOLS, "zh", "en").mask(text)) == ["Привет你→"]
    assert literals(Masking(tokenizer, SYMBOLS, "de", "en").mask(text)) == ["dasПривет你→"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我的电话号码是13812345678。", ["13812345678"]),
        ("我的电话是138 1234 5678，给{name}", ["138 1234 5678", "{name}"]),
        ("订单LH4321在2013年12月5日", ["LH4321"]),
        ("价格为1,250,000元。", ["1,250,000"]),
        ("附件report.pdf和😀", ["report.pdf", "😀"]),
        ('点击<a title="标题">附件</a>', ['<a title="标题">', "</a>"]),
        ("请写信到max@example.org。", ["max@example.org"]),
        ("共有20人", []),
    ],
)
def test_literals_touch_words_where_nobody_parts_these(tokenizer: Tokenizer, text: str, expected: list[str]) -> None:
    masking = Masking(tokenizer, SYMBOLS, "zh", "en")
    masking.characters |= set(re.findall(r"[^\W\d_a-z]|[，。]", text))
    masking.scripts |= {"CJK"}
    assert literals(masking.mask(text)) == expected
