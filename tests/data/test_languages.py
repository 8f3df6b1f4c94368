import pytest

from data.languages import has_spaces, primary


@pytest.mark.parametrize(("code", "expected"), [("de", "de"), ("zh_Hant", "zh"), ("de-AT", "de"), ("YUE", "yue")])
def test_a_script_or_region_is_no_part_of_the_primary_code(code: str, expected: str) -> None:
    assert primary(code) == expected


@pytest.mark.parametrize("code", ["zh", "cmn", "zh_Hant", "yue", "ja", "th", "lo", "km", "my"])
def test_languages_known_to_run_their_words_together(code: str) -> None:
    assert not has_spaces(code)


@pytest.mark.parametrize("code", ["de", "ko", "vi", "zha", "jav"])
def test_all_others_are_taken_to_have_spaces(code: str) -> None:
    assert has_spaces(code)
