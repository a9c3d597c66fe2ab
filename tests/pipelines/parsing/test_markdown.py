from __future__ import annotations

from pipelines.parsing.markdown import split_front_matter, without_components
from pipelines.parsing.partition import parse

MDX = b"""---
title: "Getting Started"
slug: "/get-started"
sidebar_position: 2
draft: false
tags: [a, b]
published: 2024-05-01
---

import Tabs from "@theme/Tabs";

# Get Started

Install the **package** with [pip](https://example.org/pip).

:::tip Mind the order
Install torch first.
:::

<Tabs>
<TabItem value="linux" label="On Linux">

Run this:
1. First
   ```python
   import os

   # not a heading
   os.environ["X"] = "<Component a={1}>"
   ```
2. Second

</TabItem>
</Tabs>

<Picture src="/img/x.png" alt="Boxes joined by arrows" size={"large"} />

| Name | Use |
| --- | --- |
| `A` | first<br/>of all |
| [B](b.mdx) | |
"""


def test_mdx_reads_as_its_reader_would_see_it() -> None:
    document = parse(MDX, "docs/get-started.mdx")
    texts = [(element.kind, document.text[element.start : element.end]) for element in document.elements]
    assert document.title == "Getting Started"
    assert document.mime_type == "text/markdown"
    assert texts[0] == ("Title", "Get Started")
    assert ("CodeSnippet", 'import os\n\n# not a heading\nos.environ["X"] = "<Component a={1}>"') in texts
    assert ("Table", "Name | Use\nA | first of all\nB |") in texts
    for said in ("Install the package with pip.", "Mind the order", "Install torch first.", "On Linux", "Boxes joined by arrows", "Second"):
        assert said in document.text
    for unsaid in ("@theme", ":::", "<Tab", "/img/x.png", "slug", "---", "`"):
        assert unsaid not in document.text


def test_front_matter_becomes_metadata() -> None:
    assert parse(MDX, "a.mdx").metadata == {
        "slug": "/get-started", "sidebar_position": 2, "draft": False, "tags": ["a", "b"], "published": "2024-05-01",
    }  # fmt: skip


def test_a_table_keeps_its_html() -> None:
    document = parse(MDX, "a.mdx")
    [table] = [element for element in document.elements if element.kind == "Table"]
    assert table.html is not None
    assert table.html.startswith("<table>")


def test_without_front_matter_the_first_heading_is_the_title() -> None:
    assert parse(b"Hello there.\n\n## Second level\n\n# The title\n\nText.", "x.md").title == "The title"


def test_what_is_not_yaml_stays_text() -> None:
    assert split_front_matter("---\nkey: [unclosed\n---\nText") == ({}, "---\nkey: [unclosed\n---\nText")
    assert split_front_matter("---\njust words\n---\nText") == ({}, "---\njust words\n---\nText")


def test_code_is_left_alone() -> None:
    code = 'Text\n\n~~~js\nimport A from "a";\n:::note\n<Tab/>\n```\n~~~\n<Tab/>done'
    assert without_components(code) == 'Text\n\n~~~js\nimport A from "a";\n:::note\n<Tab/>\n```\n~~~\ndone'


def test_comparisons_and_generics_are_not_components() -> None:
    assert without_components("if a < B and c > d, then List<int> holds x < Y") == "if a < B and c > d, then List<int> holds x < Y"
