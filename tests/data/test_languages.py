from pathlib import Path

import pytest

from data.languages import has_spaces, of_file, primary


@pytest.mark.parametrize(("code", "expected"), [("de", "de"), ("zh_Hant", "zh"), ("de-AT", "de"), ("YUE", "yue")])
def test_a_script_or_region_is_no_part_of_the_primary_code(code: str, expected: str) -> None:
    assert primary(code) == expected


@pytest.mark.parametrize("code", ["zh", "cmn", "zh_Hant", "yue", "ja", "th", "lo", "km", "my"])
def test_languages_known_to_run_their_words_together(code: str) -> None:
    assert not has_spaces(code)


@pytest.mark.parametrize("code", ["de", "ko", "vi", "zha", "jav"])
def test_all_others_are_taken_to_have_spaces(code: str) -> None:
    assert has_spaces(code)


@pytest.mark.parametrize(("name", "language"), [("test.de", "de"), ("test.zh.gz", "zh"), ("a.b.fr", "fr"), ("x", "")])
def test_a_files_name_tells_its_language(name: str, language: str) -> None:
    assert of_file(Path(name)) == language
