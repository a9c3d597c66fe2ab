from __future__ import annotations

import pytest

from pipelines.parsing.records import parse_record
from search_index.errors import DocumentUnreadable


def test_title_and_text_are_two_elements() -> None:
    document = parse_record({"_id": "MED-1", "title": "On statins", "text": "They work.\nOften."}, "MED-1")
    assert document.text == "On statins\n\nThey work.\nOften."
    assert [(element.kind, element.start, element.end) for element in document.elements] == [("Title", 0, 10), ("NarrativeText", 12, 29)]
    assert (document.title, document.parser) == ("On statins", "record 1")


def test_without_a_title_there_is_only_the_text() -> None:
    document = parse_record({"_id": "1", "title": "", "text": "Body."}, "1")
    assert (document.title, document.text, len(document.elements)) == ("", "Body.", 1)


def test_other_scalar_fields_become_metadata() -> None:
    record = {"_id": "1", "text": "Body.", "year": 1999, "url": "", "authors": ["a"], "metadata": {"language": "en", "deep": {"x": 1}}}
    assert parse_record(record, "1").metadata == {"year": 1999, "language": "en"}


@pytest.mark.parametrize("record", [{"_id": "1"}, {"title": " ", "text": "\n"}, {"text": ["a"]}])
def test_a_record_without_text_says_what_to_do(record: dict[str, object]) -> None:
    with pytest.raises(DocumentUnreadable) as caught:
        parse_record(record, "corpus.jsonl#7")
    assert "corpus.jsonl#7" in caught.value.what
    assert caught.value.remedy
