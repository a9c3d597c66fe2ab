from __future__ import annotations

import pytest

from pipelines.parsing.encoding import decode

GERMAN = "Die Straße führt über die Brücke nach Köln."
JAPANESE = "日本語の文章は、漢字とひらがなとカタカナで書かれています。データシートを読む。" * 3


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"])
def test_text_is_read_whatever_unicode_or_western_encoding_it_is_in(encoding: str) -> None:
    assert decode(GERMAN.encode(encoding)) == GERMAN


@pytest.mark.parametrize("encoding", ["shift_jis", "euc_jp"])
def test_east_asian_text_is_recognised(encoding: str) -> None:
    assert decode(JAPANESE.encode(encoding)) == JAPANESE


def test_a_declared_charset_is_believed() -> None:
    page = '<meta charset="iso-8859-7"><p>Καλημέρα κόσμε</p>'
    assert decode(page.encode("iso-8859-7")) == page


def test_latin_1_is_read_as_browsers_do() -> None:
    assert decode(b'<meta charset="ISO-8859-1"><p>\x93so\x94 \xfcber</p>').endswith("\u201cso\u201d \u00fcber</p>")


def test_one_bad_byte_at_the_end_does_not_change_the_rest() -> None:
    assert decode("Straße".encode() + b"\xe2\x82") == "Straße\ufffd"
