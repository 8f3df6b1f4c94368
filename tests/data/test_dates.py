"""Dates in digits, from where the day comes first to where the month does."""

from __future__ import annotations

import pytest

from data.clock import Clock, of_english, of_german


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Am 3.5.2024 findet sie statt.", "Am 3. Mai 2024 findet sie statt."),
        ("Ihr Schreiben vom 03.05.2024", "Ihr Schreiben vom 3. Mai 2024"),
        ("Berlin, den 1. 4. 2022", "Berlin, den 1. April 2022"),
        ("Wir kommen am 24.12. um acht.", "Wir kommen am 24. Dezember um acht."),
        ("Sa., 24.12., 9 Uhr", "Sa., 24. Dezember, 9 Uhr"),
        ("Die Frist endet am 31.12.", "Die Frist endet am 31. Dezember."),
        ("Er sagte: „Ich komme am 31.12.“", "Er sagte: „Ich komme am 31. Dezember.“"),
        ("AM 24.12. GEHT ES LOS", "AM 24. Dezember GEHT ES LOS"),
        ("Gültig bis 31.12.", "Gültig bis 31. Dezember"),
        ("vom 3. bis 10.5.2024", "vom 3. bis 10. Mai 2024"),
        ("vom 3.5. bis 10.5. zu", "vom 3. Mai bis 10. Mai zu"),
        ("3.5.2024 – 10.5.2024", "3. Mai 2024 bis 10. Mai 2024"),
        ("vom 1.1.–31.12.2024", "vom 1. Januar bis 31. Dezember 2024"),
        ("Urlaub vom 3.5.2024–10.5.2024", "Urlaub vom 3. Mai 2024 bis 10. Mai 2024"),
        ("Wir haben 24. - 26.12. geschlossen", "Wir haben 24. bis 26. Dezember geschlossen"),
        ("Offen ist die Hütte 1.4.–31.10.", "Offen ist die Hütte 1. April bis 31. Oktober."),
        ("Eintritt Fr. 20.- 12.5.2024", "Eintritt Fr. 20.- 12. Mai 2024"),
        ("Ihr Schreiben vom 3.5.24", "Ihr Schreiben vom 3. Mai 2024"),
        ("Berlin, 03.05.24", "Berlin, 3. Mai 2024"),
        ("geboren am 12.10.45 in Ulm", "geboren am 12. Oktober 1945 in Ulm"),
        ("gültig vom 1.1.24 bis 11.11.24.", "gültig vom 1. Januar 2024 bis 11. November 2024."),
        ("Mi, 1.5.24, und 2.5.24", "Mi, 1. Mai 2024, und 2. Mai 2024"),
        ("Am 03.05.24 wurde GIMP 2.10.36 installiert.", "Am 3. Mai 2024 wurde GIMP 2.10.36 installiert."),
        ("Am 3.5.24 Update von 2.10.34 auf 2.10.36", "Am 3. Mai 2024 Update von 2.10.34 auf 2.10.36"),
        ("Oma wurde am 12.04.35 geboren.", "Oma wurde am 12. April 1935 geboren."),
        ("vom 28.12. bis 3.1.", "vom 28. Dezember bis 3. Januar."),
        ("Am 3.6., 10.6. und 17.6. ist Training.", "Am 3. Juni, 10. Juni und 17. Juni ist Training."),
        ("Vom 5.-9.8. bin ich weg", "Vom 5. bis 9. August bin ich weg"),
        ("Am 3.5. 20 Uhr", "Am 3. Mai 20:00 Uhr"),
        ("Termin: 12.04., 15 Uhr", "Termin: 12. April, 15:00 Uhr"),
        ("Gültig bis zum 12.04.35.", "Gültig bis zum 12. April 2035."),
        ("Sie verstehen es am 12.04.35.", "Sie verstehen es am 12. April 2035."),
        ("01.05.24–03.05.24", "1. Mai 2024 bis 3. Mai 2024"),
        ("vom 24. – 26.12.23", "vom 24. bis 26. Dezember 2023"),
    ],
)
def test_months_of_german_dates_are_put_in_words(text: str, expected: str) -> None:
    assert of_german(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "Kapitel 3.5. und 3.5.7",
        "Version 3.5.2024.1",
        "Version 10.5.2024 und § 3.5.2024",
        "am 31.13.2024 und am 32.1.2024",
        "am 3.5. 20 Leute",
        "bei 3.5 Grad am 3.5",
        "Nr. 1.1.3024, 10.5.2024-7",
        "Abschnitte 1.1.–3.12. und 1.–3.2.",
        "Die Abschnitte 13.1. - 13.5. entfallen",
        "Kapitel 12.1.–12.4. und 13.1.–14.2., Art. 13.–15.6.",
        "TOP 14.1.–14.5., § 13 Abs. 13.1.–14.2. zu Versionen: 13.1. - 14.2.",
        "Version 1.1.–31.12.2024",
        "1.1.–31.12.2024–2025",
        "Wir unterstützen Python 3.8 bis 3.12.",
        "Das gilt für Windows bis 8.1.",
        "Ab 8.1.12 läuft es, bis 10.12.45 lief es nicht, 3.5.24 auch",
        "Version 03.05.24, Bestellnummer 12.03.24 und 01.02.03.04.05",
        "Die Leistung Pos. 01.02.30 fehlt, Firmware 01.10.24, Python 3.11.05, Az. 03.05.24, Tel.: 03.05.24",
        "um 10.05.30 Uhr, am 3.5.244 und am 3.5.2.",
    ],
)
def test_what_is_no_german_date_stays(text: str) -> None:
    assert of_german(text) == Clock(text)


def test_what_was_written_is_remembered_beside_times() -> None:
    clock = of_german("Am 3.5.2024 um 22 Uhr und am 24.12.")
    assert clock.text == "Am 3. Mai 2024 um 22:00 Uhr und am 24. Dezember."
    assert clock.read == (("3. Mai 2024", "3.5.2024"), ("24. Dezember", "24.12."))
    assert clock.written == (("22:00", "10 p.m."),)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on 12/24/2023.", "on 24.12.2023."),
        ("05/31/2024", "31.5.2024"),
        ("12/24/2023-12/31/2023", "24.12.2023-31.12.2023"),
        ("12/24/2023 and 1/5/2024", "24.12.2023 and 5.1.2024"),
        ("on 5/3/2024", "on 5/3/2024"),
        ("due 12/24/23 or 1/5/24", "due 24.12.23 or 5.1.24"),
        ("Invoice dated 1/31/24, due 02/28/24", "Invoice dated 31.1.24, due 28.2.24"),
        ("24/12/2023 and 1/2 of it", "24/12/2023 and 1/2 of it"),
    ],
)
def test_english_dates_are_put_in_order_where_one_can_only_have_its_month_first(text: str, expected: str) -> None:
    assert of_english(text).text == expected


@pytest.mark.parametrize(
    "text",
    [
        "12/24/36 months, 10/20/30% and 10/20/30 mg",
        "Take it after 5/15/30 minutes.",
        "available in 8/16/32 GB",
        "3 sets of 12/15/20 reps",
        "The results were 10/20/30 for each group.",
        "1/24/2023.5 and 1/24/233",
    ],
)
def test_amounts_with_slashes_are_no_dates(text: str) -> None:
    assert of_english(text) == Clock(text)
