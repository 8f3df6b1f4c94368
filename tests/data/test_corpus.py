import gzip
import os
from pathlib import Path

import pytest

from data.config import build
from data.corpus import CorpusConfig, Line, read
from data.errors import UserError

TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "http://127.0.0.1:9/none.dtd">
<tmx version="1.4"><header/><body>
<tu><tuv xml:lang="DE-AT"><seg>1 &amp; <hi>zwei</hi> <bpt i="1">&lt;b&gt;</bpt>drei<ept>&lt;/b&gt;</ept>.</seg></tuv>
    <tuv xml:lang="en"><seg>One &amp; two<ph/> three.</seg></tuv></tu>
<tu><tuv lang="en_GB"><seg>Only English</seg></tuv></tu>
<tu><prop type="x">y</prop><tuv lang="en_GB"><seg>Four</seg></tuv><tuv lang="de"><seg>Vier</seg></tuv></tu>
</body></tmx>
"""


def text(root: Path, source: bytes, target: bytes) -> list[Line]:
    (root / "a.de").write_bytes(source)
    (root / "a.en").write_bytes(target)
    return list(read(CorpusConfig("text", ("de", "en"), Path("a.de"), Path("a.en")), root))


def one_file(root: Path, name: str, content: bytes) -> list[Line]:
    path = root / name
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return list(read(CorpusConfig("tmx" if ".tmx" in name else "tsv", ("de", "en"), Path(name)), root))


def test_line_i_of_two_files_is_a_pair(tmp_path: Path) -> None:
    lines = text(tmp_path, "\ufeffeins\r\nzwei\u2028\x0bdrei\n\nvier".encode(), b"one\ntwo\nthree\nfour\n")
    assert lines == [
        Line(1, "eins", "one"),
        Line(2, "zwei\u2028\x0bdrei", "two"),
        Line(3, "", "three"),
        Line(4, "vier", "four"),
    ]


def test_a_tsv_line_is_a_pair(tmp_path: Path) -> None:
    expected = [Line(1, "eins", "one"), Line(2, '"zwei', "")]
    assert one_file(tmp_path, "a.tsv", b'eins\tone\n"zwei\t\n') == expected
    assert one_file(tmp_path, "a.tsv.gz", b'eins\tone\n"zwei\t\n') == expected


@pytest.mark.parametrize("name", ["a.tmx", "a.tmx.gz"])
def test_a_tmx_unit_is_a_pair_of_plain_text(tmp_path: Path, name: str) -> None:
    assert one_file(tmp_path, name, TMX.encode()) == [
        Line(1, "1 & zwei drei.", "One & two three."),
        Line(2, "", "Only English"),
        Line(3, "Vier", "Four"),
    ]


@pytest.mark.parametrize("code", ["zh-Hant", "zh_hant", "ZH-HANT"])
def test_a_script_or_country_is_found_however_it_is_joined(tmp_path: Path, code: str) -> None:
    (tmp_path / "a.tmx").write_text(TMX.replace("en_GB", code).replace('"en"', f'"{code}"'), encoding="utf-8")
    lines = list(read(CorpusConfig("tmx", ("de", "zh_Hant"), Path("a.tmx")), tmp_path))
    assert lines[2] == Line(3, "Vier", "Four")


def test_a_line_of_nothing_is_an_empty_pair(tmp_path: Path) -> None:
    assert one_file(tmp_path, "a.tsv", b"a\tb\n \nc\td\n")[1] == Line(2, "", "")


def test_a_folder_is_no_corpus(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a folder: name a file in it"):
        list(read(CorpusConfig("tsv", ("de", "en"), tmp_path), tmp_path))


def test_a_name_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9.tsv")
    path.write_bytes(b"a\tb\n")
    with pytest.raises(UserError, match=r"caf\?\.tsv has a name, or a folder's, that is no UTF-8: rename it"):
        list(read(CorpusConfig("tsv", ("de", "en"), path), tmp_path))


def test_a_language_that_is_empty_in_one_country_is_found_in_another(tmp_path: Path) -> None:
    filled = TMX.replace('<tuv lang="de">', '<tuv lang="de-AT"><seg> </seg></tuv><tuv lang="de-DE">')
    assert one_file(tmp_path, "a.tmx", filled.encode())[2] == Line(3, "Vier", "Four")


def test_a_tmx_in_another_declared_encoding_is_read(tmp_path: Path) -> None:
    content = TMX.replace("UTF-8", "ISO-8859-1").replace("Vier", "Fünf").encode("latin-1")
    assert one_file(tmp_path, "a.tmx", content)[2].source == "Fünf"


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (b"a\nb\n", b"a\nb\nc\nd\n", r"a\.de ends after line 2, but .*a\.en has 4 lines"),
        (b"a\nb\nc\n", b"a\n", r"a\.en ends after line 1, but .*a\.de has 3 lines"),
        (b"a\nb\xff\n", b"a\nb\n", r"a\.de line 2 is not UTF-8 \(byte 2 is 0xff\)"),
        (b"", b"", r"a\.de is empty"),
        (b"", b"a\n", r"a\.de ends after line 0"),
        (b"a\rb\rc\r", b"a\nb\nc\n", r"a\.de is one line, since \\r alone ends none: end its lines with \\n"),
        (b"a\nb\n", b"a\rb", r"a\.en is one line, since \\r alone ends none"),
    ],
)
def test_a_bad_pair_of_files_is_named_with_its_line(tmp_path: Path, source: bytes, target: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        text(tmp_path, source, target)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.tsv", b"a\tb\na\n", r"a\.tsv line 2 has 1 column; it must have 2"),
        ("a.tsv", b"<?xml version='1.0'?>\n", r"a\.tsv line 1 has 1 column; if it is TMX, say format = 'tmx'"),
        ("a.tsv", b"a\tb\tc\n", r"a\.tsv line 1 has 3 columns"),
        ("a.tsv", b"a\tb\rc\td", r"a\.tsv is one line, since \\r alone ends none"),
        ("a.tmx", b"<tmx><body>\n<tu></body></tmx>", r"a\.tmx line 2 is not well-formed"),
        ("a.tmx", b"", r"a\.tmx line \d+ is not well-formed|a\.tmx .*empty"),
        ("a.tmx", b"<tmx><body/></tmx>", r"a\.tmx has no translation unit .* de and en; its languages are: none"),
        ("a.tmx", TMX.replace("DE-AT", "fr").replace('"de"', '"fr"').encode(), "its languages are: en, en_gb, fr"),
        ("a.tmx", TMX.replace("DE-AT", "deu").replace('"de"', '"d"').encode(), "no translation unit"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(UserError, match=message):
        one_file(tmp_path, name, content)


def test_a_broken_gzip_file_is_named(tmp_path: Path) -> None:
    for content in (b"plain text", gzip.compress(b"a\tb\n" * 100)[:-12]):
        (tmp_path / "a.tsv.gz").write_bytes(content)
        with pytest.raises(UserError, match=r"cannot read .*a\.tsv\.gz"):
            list(read(CorpusConfig("tsv", ("de", "en"), Path("a.tsv.gz")), tmp_path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.tsv does not exist"):
        list(read(CorpusConfig("tsv", ("de", "en"), Path("none.tsv")), tmp_path))


def test_declared_entities_are_refused_and_never_expanded(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    for value in (f'SYSTEM "{secret.as_uri()}"', '"text"'):
        head = f"<!DOCTYPE tmx [<!ENTITY e {value}>]>"
        content = f'{head}<tmx><tu><tuv lang="de"><seg>x &e; y</seg></tuv><tuv lang="en"><seg>y</seg></tuv></tu></tmx>'
        with pytest.raises(UserError, match=r"a\.tmx.*entity &e;"):
            one_file(tmp_path, "a.tmx", content.encode())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "text"}, "needs a target file"),
        ({"target": "b"}, "leave out target"),
        ({"languages": ["de", "de"]}, "languages must differ"),
        ({"format": "csv"}, "must be one of text, tsv, tmx"),
    ],
)
def test_a_wrong_corpus_setting_is_named(changes: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        build(CorpusConfig, {"format": "tsv", "languages": ["de", "en"], "source": "a"} | changes)
