"""HTML into blocks of text, and back with the tags where their words went."""

from __future__ import annotations

import asyncio
import random
import time
from html import escape
from string import ascii_lowercase

import pytest

from models.bundle import read_bundle
from mt_service.alignment import Alignment, Link, words_of
from mt_service.attributes import Attribute, filled
from mt_service.markup import Block, Document, read
from mt_service.projection import marked_up, put_back, texts
from mt_service.tags import events
from mt_service.translation import Alternative, Options, Translation
from mt_service.translator import Translator

PARTS = [
    *(
        "<",
        ">",
        "</",
        "b",
        "p",
        " ",
        " ",
        "ka",
        "lo",
        "(",
        "&",
        "amp;",
        '"',
        "'",
        "=",
        "<!--",
        "-->",
        "<![",
        "&#",
        "12",
    ),
    *(
        "<script>",
        "</script>",
        "<b>",
        "</b>",
        "<i>",
        "</i>",
        "<p>",
        "</p>",
        "<sup>",
        "</sup>",
        "<img>",
        "<code>",
        "</code>",
    ),
    *("<li translate=no>", "<svg/>", "<a title='x>'>", "</a>"),
]
DOCUMENTS = [
    "",
    " \n",
    "ka ba",
    "<p>ka <b>ba</b> lo</p>\n<p>mo</p>",
    '<!doctype html>\n<html><head><title>ka</title><meta charset="utf-8"></head><body>ba</body></html>\n',
    "<script>if (a < b) { c = '<p>'; }</script>ka<style>b > i {}</style>",
    "ka <!-- a <b>comment</b> --> ba",
    "ka < ba > lo & mo &amp; &lt;b&gt; &#228; &nosuch; &",
    "<a href='x>y' title=\"a<b\">ka</a> ba",
    "ka <b>ba</p> lo</b> <i>mo",
    "</b>ka</i> <td>ba<td>lo",
    "ka <br/> ba <img src=x> lo",
    "<p>ka <code>x &lt; y</code> ba</p><pre>  ka\n  ba</pre>",
    "<div translate=no><div>ka</div> ba</div> lo <span class='notranslate big'>mo</span> ka",
    "ka <b",
    "ka </",
    "<![CDATA[ka]]> ba <?php ka ?> lo",
    "<svg><text>ka</text></svg><textarea>ba <b>lo</b></textarea>",
    "ka\r\n\r\n<B>ba</B>\x00 \ue000",
]


def raw(document: Document) -> str:
    values = {part.symbol: part.raw for part in document if isinstance(part, Attribute)}
    rest = (part for part in document if not isinstance(part, Attribute))
    return filled("".join(part.raw if isinstance(part, Block) else part for part in rest), values)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nothing_of_a_document_is_lost(document: str) -> None:
    assert raw(read(document)) == document


def test_nothing_of_any_text_is_lost() -> None:
    rng = random.Random(3)
    for _ in range(4000):
        document = "".join(rng.choice(PARTS) for _ in range(rng.randrange(20)))
        found = read(document)
        assert raw(found) == document
        for block in (part for part in found if isinstance(part, Block)):
            for translate in (mirrored, mislinked):
                done, lost = marked_up(block, translate(block.text))
                assert lost == []
                assert sorted(tags(done)) == sorted(tags(block.raw))
                if not (block.kept or "<sup" in block.raw):
                    assert shown(done) == shown(escape(translate(block.text).text))


def shown(html: str) -> str:
    """What a reader sees of a document without kept elements, white space aside."""
    return "".join("".join(event.text for event in events(html)).split())


def tags(html: str) -> list[str]:
    return [event.raw for event in events(html) if event.kind != "text"]


def mislinked(text: str) -> Translation:
    """A text that stays as it is, of which half of the words are linked to others."""
    source = words_of(text)
    links = [Link(index, (index * 7 + 3) % len(source), 1.0) for index in range(0, len(source), 2)]
    return mirrored(text)._replace(text=text, alignment=Alignment(source, source, links))


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ("<p>ka <b>ba</b>\n  lo</p>\n<p>mo</p>", ["ka ba lo", "mo"]),
        ("<ul><li>ka<li>ba</ul>", ["ka", "ba"]),
        ("ka<br>ba", ["ka", "ba"]),
        ("ka<!-- x --> ba", ["ka ba"]),
        ("&auml; &lt;b&gt; &amp;amp;", ["ä <b> &amp;"]),
        ("<p>12</p><p> &nbsp; </p><p>-</p>", ["12"]),
        ("<title>ka</title><script>ba</script><textarea>lo</textarea>", ["ka"]),
        ("ka <code>x</code> ba <kbd>y</kbd>", ["ka {{a0}} ba {{a1}}"]),
        ("{{a}} <code>x</code> ba", ["{{a}} {{b0}} ba"]),
        ("<code>x</code>", []),
        ("<span>Re</span><span>ad</span> <span>this</span><span> now</span>", ["Read this now"]),
        ("<b>Note</b><a name=x></a> here <b>Hello</b><a>, world</a>", ["Note here Hello, world"]),
        (
            "see <a href=x><span class=invisible>https://</span>a.org/B<span class=invisible>/c</span></a> now",
            ["see {{a0}} now"],
        ),
        (
            "it<sup>[1]</sup> is in<sup>2</sup> I<sup>3</sup> and x<sup>2</sup>, 5 km<sup>2</sup>, Ca<sub>2</sub>",
            ["it is in I and {{a0}}, 5 {{a1}}, {{a2}}"],
        ),
        ("<b>Kat</b>ze<sub>1</sub>", ["Katze"]),
        ("<p>one<my-icon></my-icon> two<nobr>x</nobr></p>", ["one twox"]),
        ("<nav><a href=/>Home</a><a href=/a>About us</a></nav>", ["Home", "About us"]),
        ("<label><input>I agree</label><label><input>Mail me</label>", ["I agree", "Mail me"]),
        ("un<b>believ</b>able <i>x</i><b>y</b>", ["unbelievable xy"]),
        ("H<sub>2</sub>O, 20 m<sup>2</sup>, x<sup>n</sup>", ["{{a0}}O, 20 {{a1}}, xn"]),
        ("Born there.<sup>1</sup> He left<sup><a href=x>[2]</a></sup>.", ["Born there. He left."]),
        ("<svg class=i /> ka <svg><text>ba</text></svg>", ["ka"]),
        ("<ul><li class=notranslate>ka<li>ba</ul>", ["ba"]),
        ("<p translate=no>ka<p>ba", ["ba"]),
        ("<div translate=no>ka <p>ba", ["ka", "ba"]),  # without an end
        ("<code>ka <p>ba</p>", ["ka", "ba"]),
        ("<title>About <script> tags</title><p>ka</p>", ["About <script> tags", "ka"]),
        ("<script>ka", []),
        ("<![foo]> ka <![ ba", ["ka"]),
        ("&#" + "9" * 5000 + "; ka", ["\ufffd ka"]),
        ("{&#123;a0}} ka <code>x</code>", ["{{a0}} ka {{b0}}"]),
        ("{<i></i>{a0}} ka <code>x</code>", ["{{a0}} ka {{b0}}"]),
        ("<!-- ka --!> ba <!--> lo <!-- mo", ["ba lo"]),
        ("ka </> < ba <", ["ka </> < ba <"]),
        ("<a title='ka > ba' x=\"'\" =y>lo</a>", ["ka > ba", "lo"]),
        ("<select><option value=1>ka<option>ba</select>", ["ka", "ba"]),
        ("<p translate=no>ka <p>ba</p></p> lo", ["lo"]),
    ],
)
def test_what_is_translated_of_a_document(document: str, found: list[str]) -> None:
    assert texts([read(document)]) == found


def mirrored(text: str) -> Translation:
    """A text with its words from the last to the first, each linked to itself."""
    there = text.split()[::-1]
    translated = " ".join(there)
    source, target = words_of(text), words_of(translated)
    links = [Link(len(source) - 1 - index, index, 1.0) for index in range(len(source))]
    aligned = Alignment(source, target, links)
    return Translation(translated, -1.0, [Alternative(translated, -1.0)], aligned, len(there) + 1, 1, [], [])


@pytest.mark.parametrize(
    ("document", "translation"),
    [
        ("ka <b>ba</b> lo", "lo <b>ba</b> ka"),
        ("<p>ka <b>ba lo</b> mo\n</p>", "<p>mo <b>lo ba</b> ka\n</p>"),
        ("<b>ka ba</b>", "<b>ba ka</b>"),
        ("<b>ka <i>ba</i></b> lo", "lo <b><i>ba</i> ka</b>"),
        ("<b>ka</b> <i>ba</i> lo", "lo <i>ba</i> <b>ka</b>"),
        ("ka <a href='x&amp;y'>ba &amp; lo</a>", "<a href='x&amp;y'>lo &amp; ba</a> ka"),
        ("ka <b>ba</b>, lo", "lo <b>ba</b>, ka"),
        ("ka (<b>ba</b>) lo", "lo (<b>ba</b>) ka"),
        ("ka <img src=x>ba lo", "lo <img src=x>ba ka"),
        ("ka ba<img src=x>", "ba ka<img src=x>"),
        ("ka ba. <img src=x><i></i>", "ba. ka <img src=x><i></i>"),
        ("<p>ka ba <a href=x><img src=y></a>\n</p>", "<p>ba ka <a href=x><img src=y></a>\n</p>"),
        ("<img src=x>ka ba", "<img src=x>ba ka"),
        ("ka <b></b>ba", "<b></b>ba ka"),
        ("ka <b>ba<br>lo</b> mo", "<b>ba ka<br>mo lo</b>"),  # around the rest of a line, and its beginning
        ("ka <code>x &lt; y</code> ba", "ba <code>x &lt; y</code> ka"),
        ("ka <em>ba <span translate=no>Lo</span></em> mo", "mo <em><span translate=no>Lo</span> ba</em> ka"),
        ("<p>2024</p>", "<p>2024</p>"),
        ("<p>click <a href=x><svg><p>y</p></svg> here</a></p>", "<p><a href=x><svg><p>y</p></svg> here</a> click</p>"),
        ("<p>ka <img> ba</p>", "<p><img> ba ka</p>"),
        ("<td>ka</td><b> ba lo </b><td>", "<td>ka</td> <b>lo ba</b> <td>"),
        (
            '<p>ba <a title="{{a0}}">lo</a> <code>" onclick="x</code></p>',
            '<p><code>" onclick="x</code> <a title="{{a0}}">lo</a> ba</p>',
        ),
        ("&lt;b&gt; ka", "ka &lt;b&gt;"),
        ("<p>-</p>", "<p>-</p>"),
        ("k<b>a</b> ba", "ba <b>ka</b>"),
        ("ka<img> ba lo", "lo ba ka<img>"),
        ("ka <sup>1</sup>ba", "<sup>1</sup>ba ka"),
        ("ka ba.<sup>1</sup> lo", "lo ba.<sup>1</sup> ka"),
        ("ka 20 m<sup>2</sup> lo", "lo m<sup>2</sup> 20 ka"),
    ],
)
def test_tags_go_where_their_words_went(document: str, translation: str) -> None:
    found = read(document)
    done = put_back([found], map(mirrored, texts([found])))[0]
    assert (done.text, done.warnings) == (translation, [])


def linked(text: str, translated: str, *links: tuple[int, int, float]) -> Translation:
    aligned = Alignment(words_of(text), words_of(translated), [Link(*link) for link in links])
    return Translation(translated, -1.0, [], aligned, 9, 1, [], [])


def test_an_element_is_around_neighbours_that_are_mostly_its_own() -> None:
    document = read("one <b>two three</b> four")
    links = [(0, 0, 1.0), (1, 1, 1.0), (3, 2, 0.6), (2, 2, 0.4), (2, 3, 1.0), (1, 4, 0.2), (3, 4, 0.8)]
    done = put_back([document], [linked("one two three four", "eins zwei und drei vier", *links)])[0]
    assert done.text == "eins <b>zwei und drei</b> vier"
    links = [(0, 0, 1.0), (1, 1, 1.0), (3, 2, 1.0), (0, 3, 1.0), (2, 4, 0.6), (3, 4, 0.4)]
    done = put_back([document], [linked("one two three four", "eins zwei und so drei", *links)])[0]
    assert done.text == "eins <b>zwei</b> und so drei"


def test_elements_within_each_other_share_a_word_that_marks_are_left_out_of() -> None:
    document = read("one <b><i>two</i> three</b>")
    links = [(0, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0)]
    done = put_back([document], [linked("one two three", "eins (zwei drei)", *links)])[0]
    assert done.text == "eins (<b><i>zwei</i> drei</b>)"


def test_an_element_without_links_stays_about_where_it_was() -> None:
    document = read("one two <b>three</b> four")
    done = put_back([document], [linked("one two three four", "eins zwei drei vier")])[0]
    assert done.text == "eins <b>zwei</b> drei vier"


def test_what_a_translation_has_no_place_for_stands_at_its_end() -> None:
    document = read("<p>ka <code>x</code> ba </p>")
    done = put_back([document], [linked("ka {{a0}} ba", "ka ba")])[0]
    assert done.text == "<p>ka ba<code>x</code> </p>"
    assert done.warnings == ["the translation has no place for <code>x</code>, which stands at its end"]
    done = put_back([document], [linked("ka {{a0}} ba", "{{a0}} ka {{a0}}")])[0]
    assert done.text == "<p><code>x</code> ka  </p>"


def test_a_document_is_counted_as_a_whole() -> None:
    document = read("<p>ka</p><p>ba lo</p>")
    one = mirrored("ka")._replace(score=-1.0, warnings=["a"], doubtful=["ka"])
    done = put_back([document], [one, mirrored("ba lo")._replace(score=-2.0, sentences=3)])[0]
    assert (done.score, done.tokens, done.sentences, done.warnings, list(done.doubtful)) == (-1.75, 5, 4, ["a"], ["ka"])


@pytest.mark.parametrize(
    "document",
    [
        "<b>" * 5000 + "ka" + "</b>" * 5000,
        "</b>ka " * 10_000,
        "<b>ka</b> " * 10_000,
        "<b>ka</b><img> " * 10_000,
        "<tt></tt> ka" * 10_000,
        "<sup>" * 10_000 + "ka" + "</sup>" * 10_000,
        "<code>ka " * 10_000,
        "<a " * 20_000,
        "<a ='" * 20_000,
        "<!--" * 50_000,
        "<p translate=no>ka" * 10_000,
        "".join(f"{{{{{first}{second} <tt></tt>" for first in ascii_lowercase for second in ascii_lowercase),
    ],
)
def test_hostile_documents_take_no_time(document: str) -> None:
    started = time.perf_counter()
    found = read(document)
    assert sum(map(len, texts([found]))) <= 2 * len(document)
    done = put_back([found], map(mirrored, texts([found])))[0]
    assert done.text.count("b>") == document.count("b>")
    assert time.perf_counter() - started < 3


def test_what_is_unsure_is_told_as_it_stands_in_the_document() -> None:
    document = read("ka <code>x</code> ba")
    doubtful = mirrored(texts([document])[0])._replace(doubtful=["ka {{a0}} ba"])
    assert list(put_back([document], [doubtful])[0].doubtful) == ["ka <code>x</code> ba"]


def test_code_is_carried_over(backwards: Translator) -> None:
    document = read("<p>ka <code>mt --help</code> lo <b>mo</b></p>")
    options = Options("aa", "bb", alignments=True)
    found = asyncio.run(backwards.translate(texts([document]), options))
    assert "<code>mt --help</code>" in put_back([document], found)[0].text


def test_a_network_that_knows_no_symbols_loses_no_code(translator: Translator) -> None:
    assert not read_bundle(translator.bundle.folder).placeholders
    document = read("<p>ka <code>mt --help</code> lo</p>")
    found = asyncio.run(translator.translate(texts([document]), Options("aa", "bb", alignments=True)))
    assert "<code>mt --help</code>" in put_back([document], found)[0].text
