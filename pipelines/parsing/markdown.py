"""Markdown, and the MDX of documentation sites, as the HTML that unstructured's HTML partitioner reads.

CommonMark (markdown-it-py) is what sites are written for: lists need no blank line before them, and code fences may stand
inside list items. The renderer that unstructured would use knows neither.
"""

from __future__ import annotations

import re
from typing import cast

from pipelines.parsing.assembly import Metadata

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?)\n---[ \t]*(?:\n|\Z)", re.DOTALL)
_FENCE = re.compile(r"^\s*(?:[-*+]\s+|\d+[.)]\s+)?(`{3,}|~{3,})")
_MODULE_LINE = re.compile(r"^(?:import\s+(?:[\w{*].*\sfrom\s+)?[\"'].*|export\s+(?:default|const|let|var|function|\{).*)$")
_ADMONITION = re.compile(r"^(\s*):{3,}\s*([A-Za-z]+)?[ \t]*(?:\[(.*)\]|(.*))$")
_COMPONENT = re.compile(r"</?[A-Z][\w.]*(?:\s+(?:[^<>\"'{}]|\"[^\"]*\"|'[^']*'|\{[^{}]*(?:\{[^{}]*\}[^{}]*)*\})*?)?\s*/?>")
_SPEAKING_ATTRIBUTE = re.compile(r"\b(?:alt|title|label|caption)=(?:\"([^\"]+)\"|'([^']+)')")


def split_front_matter(text: str) -> tuple[Metadata, str]:
    """The scalar keys and lists of strings of a YAML front matter, and the text after it.

    A block that is not a YAML mapping is text like any other.

    >>> split_front_matter("---\\ntitle: A\\ndraft: false\\n---\\nBody")
    ({'title': 'A', 'draft': False}, 'Body')
    """
    match = _FRONT_MATTER.match(text)
    if match is None:
        return {}, text
    import yaml

    try:
        loaded: object = yaml.safe_load(match.group(1))
    except yaml.YAMLError:
        return {}, text
    if not isinstance(loaded, dict):
        return {}, text
    metadata: Metadata = {}
    for key, value in cast("dict[object, object]", loaded).items():
        if isinstance(value, str | int | float | bool):
            metadata[str(key)] = value
        elif isinstance(value, list) and all(isinstance(item, str) for item in value):
            metadata[str(key)] = [str(item) for item in value]
        elif value is not None and not isinstance(value, list | dict):
            metadata[str(key)] = str(value)  # YAML's dates
    return metadata, text[match.end() :]


def without_components(text: str) -> str:
    """MDX as plain Markdown: imports, comments and component tags go, what they say to a reader stays, code is left alone.

    >>> without_components('import A from "x";\\n<Tab label="Linux">\\nhello\\n</Tab>\\n:::tip Note\\nmind\\n:::')
    '\\n\\nLinux\\n\\nhello\\n\\n\\n\\n**Note**\\n\\nmind\\n'
    """
    kept: list[str] = []
    prose: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            kept.append(line)
            if mark is not None and mark.group(1).startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark is not None:
            kept += [_prose("\n".join(prose)), line] if prose else [line]
            prose = []
            fence = mark.group(1)
        else:
            prose.append(line)
    if prose:
        kept.append(_prose("\n".join(prose)))
    return "\n".join(kept)


def _prose(text: str) -> str:
    lines = []
    for line in _COMPONENT.sub(_spoken, _without_comments(text)).split("\n"):
        admonition = _ADMONITION.match(line)
        if admonition is not None:
            indent, _, bracketed, plain = admonition.groups()
            title = (bracketed or plain or "").strip()
            lines += ["", f"{indent}**{title}**", ""] if title else [""]
        else:
            lines.append("" if _MODULE_LINE.match(line) else line)
    return "\n".join(lines)


def _without_comments(text: str) -> str:
    """In one pass: an expression would look for the end of each comment that has none."""
    kept, position = [], 0
    while (start := text.find("{/*", position)) >= 0 and (end := text.find("*/}", start)) >= 0:
        kept.append(text[position:start])
        position = end + 3
    return "".join([*kept, text[position:]])


def _spoken(tag: re.Match[str]) -> str:
    said = _SPEAKING_ATTRIBUTE.search(tag.group())
    return f"\n{said.group(1) or said.group(2)}\n" if said else ""


def to_html(text: str) -> str:
    """Rendered as CommonMark with tables; HTML inside stays."""
    from markdown_it import MarkdownIt

    return str(MarkdownIt("commonmark").enable("table").render(text))
