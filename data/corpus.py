"""Streaming readers of parallel text: two text files, one TSV or one TMX, plain or gzipped."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO, TYPE_CHECKING, Literal, NamedTuple, cast

from data.config import check
from data.errors import UserError
from data.languages import primary

if TYPE_CHECKING:
    from lxml import etree

NATIVE_CODE = frozenset({"bpt", "ept", "it", "ph", "ut"})  # TMX elements that hold mark-up, not text
XML_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"


@dataclass(frozen=True)
class CorpusConfig:
    """Where parallel text lies and in which languages; `target` names the second file of the `text` format.

    Relative paths start at `root`, and a relative `root` at that of the whole configuration.
    """

    format: Literal["text", "tsv", "tmx"]
    languages: tuple[str, str]
    source: Path
    target: Path | None = None
    root: Path = Path()

    def __post_init__(self) -> None:
        check(self.languages[0] != self.languages[1], f"languages must differ, but are {self.languages}")
        if self.format == "text":
            check(self.target is not None, "the text format needs a target file beside the source file")
        else:
            check(self.target is None, f"the {self.format} format is one file: leave out target")

    def files(self, root: Path) -> tuple[Path, ...]:
        """The corpus's files; relative paths start at `root`, or at the corpus's own."""
        return tuple(root / self.root / path for path in (self.source, self.target) if path is not None)


class Line(NamedTuple):
    """A pair as it stands in its corpus: its 1-based line number (for TMX: translation unit) and both texts."""

    number: int
    source: str
    target: str


def read(corpus: CorpusConfig, root: Path) -> Iterator[Line]:
    """Stream a corpus's pairs.

    A TMX unit that lacks a language gives an empty side, so that cleaning counts it.
    Raises:
        UserError: naming file and line, for a missing, empty or malformed file, broken UTF-8 or unequal lengths.
    """
    files = corpus.files(root)
    for path in files:
        check_there(path, "corpus")
    count = 0
    for line in lines_of(corpus, files):
        count += 1
        yield line
    check(count > 0, f"corpus {files[0]} is empty")


def check_there(path: Path, kind: str) -> None:
    """Raise UserError, naming the kind of file, when there is none."""
    check(not path.is_dir(), f"{kind} file {path} is a folder: name a file in it")
    check(path.is_file(), f"{kind} file {path} does not exist: mend its path, or the root that it starts at")
    readable = str(path).encode(errors="replace").decode()
    check(readable == str(path), f"{kind} file {readable} has a name, or a folder's, that is no UTF-8: rename it")


def lines_of(corpus: CorpusConfig, files: tuple[Path, ...]) -> Iterator[Line]:
    """Choose the reader by format."""
    match corpus.format:
        case "text":
            return read_text(*files)
        case "tsv":
            return read_tsv(*files)
        case "tmx":
            return read_tmx(files[0], corpus.languages)


def read_text(source: Path, target: Path) -> Iterator[Line]:
    """Pair line i of one file with line i of the other."""
    sources, targets = read_lines(source), read_lines(target)
    for number, (left, right) in enumerate(zip_longest(sources, targets), start=1):
        if left is None or right is None:
            longer, rest = (target, targets) if left is None else (source, sources)
            shorter = source if left is None else target
            raise UserError(
                f"{shorter} ends after line {number - 1}, but {longer} has {number + sum(1 for _ in rest)} lines: "
                f"line i of both must be one pair"
            )
        yield Line(number, left, right)


def read_tsv(path: Path) -> Iterator[Line]:
    """Split each line at its one tab; a line of nothing is a pair of empty sides."""
    for number, line in enumerate(read_lines(path), start=1):
        yield two_columns(path, number, line) if line.strip() else Line(number, "", "")


def two_columns(path: Path, number: int, line: str) -> Line:
    """A line of a file, parted at its one tab."""
    columns = line.split("\t")
    mend = "if it is TMX, say format = 'tmx'" if line.startswith("<?xml") else "it must have 2, with a tab between"
    check(len(columns) == 2, f"{path} line {number} has {counted(len(columns), 'column')}; {mend}")
    return Line(number, *columns)


def counted(number: int, what: str) -> str:
    """One column, 2 columns."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def read_lines(path: Path) -> Iterator[str]:
    """Decode a file line by line, without line ends and byte order mark; only `\\n` ends a line."""
    number = 0
    try:
        with open_binary(path) as stream:
            for number, raw in enumerate(stream, start=1):
                text = raw.removesuffix(b"\n").removesuffix(b"\r")
                if number == 1 and not raw.endswith(b"\n"):
                    check(b"\r" not in text, f"{path} is one line, since \\r alone ends none: end its lines with \\n")
                yield text.decode("utf-8-sig" if number == 1 else "utf-8")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} line {number} is not UTF-8 (byte {error.start + 1} is 0x{error.object[error.start]:02x}): "
            f"convert the file, for example with iconv"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        where = f" after line {number}" if number else ""
        raise UserError(f"cannot read {path}{where}: {getattr(error, 'strerror', None) or error}") from None


def all_lines(path: Path) -> list[str]:
    """A file's lines, as `read_lines` gives them."""
    return list(read_lines(path))


def open_binary(path: Path) -> IO[bytes]:
    """Open a file for reading bytes; a name that ends in .gz is decompressed."""
    return cast(IO[bytes], gzip.open(path)) if path.suffix == ".gz" else path.open("rb")


def read_tmx(path: Path, languages: tuple[str, str]) -> Iterator[Line]:
    """Stream translation units; nothing outside the file is loaded and no entity is expanded."""
    from lxml import etree  # 4 MB, which a server, that reads no TMX, does without

    found: set[str] = set()
    number = paired = 0
    try:
        with open_binary(path) as stream:
            units = etree.iterparse(stream, tag="{*}tu", resolve_entities=False, no_network=True, load_dtd=False)
            for number, (_, unit) in enumerate(units, start=1):
                variants = read_unit(unit, path)
                found |= variants.keys()
                source, target = (variant(variants, language) for language in languages)
                paired += bool(source and target)
                yield Line(number, source, target)
                unit.clear()
                while unit.getprevious() is not None:
                    del unit.getparent()[0]
    except etree.XMLSyntaxError as error:
        raise UserError(f"{path} line {error.lineno} is not well-formed TMX: {error.msg}") from None
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"cannot read {path} after unit {number}: {error}") from None
    wanted = " and ".join(languages)
    known = ", ".join(sorted(found)) or "none"
    check(paired > 0, f"{path} has no translation unit with text in {wanted}; its languages are: {known}")


def read_unit(unit: etree._Element, path: Path) -> dict[str, str]:
    """The text of each language of a translation unit, by lower-case language code."""
    variants: dict[str, str] = {}
    for variant_element in unit.iterfind("{*}tuv"):
        language = variant_element.get(XML_LANGUAGE) or variant_element.get("lang") or ""
        segment = variant_element.find("{*}seg")
        variants.setdefault(language.lower(), "" if segment is None else text_of(segment, path))
    return variants


def text_of(element: etree._Element, path: Path) -> str:
    """An element's text without inline elements that hold mark-up; highlighted text is kept."""
    from lxml import etree

    parts = [element.text or ""]
    for child in element:
        entity = child.tag is etree.Entity
        check(not entity, f"{path} line {child.sourceline} has the entity {child.text}: write its text instead")
        if isinstance(child.tag, str) and etree.QName(child).localname not in NATIVE_CODE:
            parts.append(text_of(child, path))
        parts.append(child.tail or "")
    return "".join(parts)


def variant(variants: dict[str, str], language: str) -> str:
    """The text whose language code is `language` or starts with it (`de` finds `de-at`); empty if there is none.

    Of several, it is the first one that is not empty.
    """
    wanted = language.lower().replace("_", "-")
    codes = sorted(code for code in variants if wanted in (code.replace("_", "-"), primary(code)))
    return next((variants[code] for code in codes if variants[code].strip()), "")
