"""What every source must do, as checks that a team can run on its own: each raises ``AssertionError`` with what is wrong.

>>> check_source(lambda: open_source(contract))  # doctest: +SKIP
>>> check_changes(lambda: open_source(contract), change=edit_one, remove=delete_one)  # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pipelines.sources.interface import Source, SourceItem
from search_index.errors import DocumentUnreadable, SourceUnavailable

Make = Callable[[], Source]


def check_source(make: Make, *, at_least: int = 1, most_bytes: int = 256 << 20) -> Sequence[SourceItem]:
    """All checks that need no change of what the source reads.

    Args:
        make: makes the source anew, as each step of a run does.
        at_least: how many documents without a problem it must list.
        most_bytes: the contract's ``limits.file_bytes``.

    Returns:
        What the source lists.
    """
    items = check_list(make, at_least)
    check_items(items)
    check_reading(make, items, most_bytes)
    check_nothing_is_invented(make, items)
    return items


def check_list(make: Make, at_least: int) -> Sequence[SourceItem]:
    """Listing is the same each time, in one source and in two, and leaves nothing open that a second one would trip over."""
    source = make()
    first, second, other = list(source.list()), list(source.list()), list(make().list())
    readable = [item for item in first if not item.problem]
    assert len(readable) >= at_least, f"it lists {len(readable)} documents without a problem, where {at_least} are to be found"
    for again, where in ((second, "listed again"), (other, "listed by another source of the same contract")):
        assert [i.path for i in again] == [i.path for i in first], f"{where}, it has other paths or another order"
        changed = [a.path for a, b in zip(first, again, strict=True) if a.signature != b.signature]
        assert not changed, f"{where}, nothing having changed, these have another signature: {changed[:5]}"
        assert again == first, f"{where}, its items differ"
    return first


def check_items(items: Sequence[SourceItem]) -> None:
    """Paths are unique, relative and printable; sizes, times and problems are what they say they are."""
    seen: set[str] = set()
    for item in items:
        path = item.path
        assert path and path not in seen, f"the path {path!r} is empty or listed twice"
        seen.add(path)
        assert not path.startswith("/") and ".." not in path.split("/"), f"the path {path!r} leads out of the source"
        assert not any(ord(c) < 0x20 or c == "\x7f" for c in path), f"the path {path!r} has control characters: use names.clean_path"
        try:
            path.encode()
        except UnicodeEncodeError as e:
            raise AssertionError(f"the path {path!r} is no valid Unicode: use names.clean_path") from e
        assert item.size >= 0, f"{path} has {item.size} bytes; 0 stands for unknown"
        assert item.modified_at.utcoffset() == timedelta(0), f"{path} has a time that is not in UTC"
        assert item.modified_at < datetime.now(UTC) + timedelta(days=2), f"{path} was changed in the future"
        assert item.problem or not (item.remedy or item.hides), f"{path} has a remedy, or hides others, but no problem"
        assert not item.problem or item.remedy, f"{path} has a problem, but does not say what to do about it"


def check_reading(make: Make, items: Sequence[SourceItem], most_bytes: int) -> None:
    """What is listed can be read by another source than listed it, twice and in any order; what has a problem never is."""
    source = make()
    readable = [item for item in items if not item.problem]
    contents = {}
    for item in readable:
        try:
            contents[item.path] = source.read(item)
        except (OSError, DocumentUnreadable) as e:
            raise AssertionError(f"{item.path} is listed without a problem, but cannot be read: {e}") from e
        content = contents[item.path]
        assert isinstance(content, bytes), f"{item.path} is read as {type(content).__name__}, not bytes"
        assert len(content) <= most_bytes, f"{item.path} was read to {len(content)} bytes; the contract allows {most_bytes}"
        assert item.size in (0, len(content)), f"{item.path} is listed with {item.size} bytes and has {len(content)}"
    for item in reversed(readable):
        assert source.read(item) == contents[item.path], f"{item.path} is not the same when it is read again, in another order"
    for item in items:
        if item.problem:
            assert _refused(source, item), f"{item.path} has a problem and is read all the same: begin `read` with refuse_problem(item)"


def check_nothing_is_invented(make: Make, items: Sequence[SourceItem]) -> None:
    """A document that went away between listing and reading is an error that is handled, not something else's bytes."""
    readable = [item for item in items if not item.problem]
    if readable:
        gone = replace(readable[0], path=f"{readable[0].path}.gone", location=f"{readable[0].location}.gone")
        assert _refused(make(), gone), "a document that is gone is read all the same: raise FileNotFoundError"


def check_changes(make: Make, change: Callable[[], str] | None = None, remove: Callable[[], str] | None = None) -> None:
    """A changed document has another signature, or never one; a removed one is not listed; the others are as they were.

    Args:
        change: changes the bytes of one document and returns its path.
        remove: removes one and returns its path.
    """
    if change is not None:
        before = {item.path: item for item in make().list()}
        path = change()
        after = {item.path: item for item in make().list()}
        assert path in after, f"{path} was changed, and is not listed any more"
        assert after[path].signature == "" or after[path].signature != before[path].signature, f"{path} changed; its signature did not"
        _same_but(before, after, path)
    if remove is not None:
        before = {item.path: item for item in make().list()}
        path = remove()
        after = {item.path: item for item in make().list()}
        assert path not in after, f"{path} was removed, and is still listed"
        _same_but(before, after, path)


def check_unavailable(make: Make) -> None:
    """A place that is gone is an error, not an empty list: that would remove every document."""
    try:
        listed = list(make().list())
    except SourceUnavailable as error:
        if not error.remedy:
            raise AssertionError(f"the error does not say what to do: {error}") from error
        return
    raise AssertionError(f"the place is gone, and it lists {len(listed)} documents: raise SourceUnavailable")


def _same_but(before: dict[str, SourceItem], after: dict[str, SourceItem], path: str) -> None:
    others = sorted((before.keys() ^ after.keys()) - {path})
    assert not others, f"others came or went with {path}: {others[:5]}"
    unlike = [p for p in before.keys() & after.keys() if p != path and before[p].problem != after[p].problem]
    assert not unlike, f"others got or lost a problem with {path}: {unlike[:5]}"


def _refused(source: Source, item: SourceItem) -> bool:
    try:
        source.read(item)
    except (OSError, DocumentUnreadable):
        return True
    return False
