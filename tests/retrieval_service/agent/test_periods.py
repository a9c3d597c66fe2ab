"""Times that a text names."""

from __future__ import annotations

import time

import pytest

from retrieval_service.agent.periods import Period, periods_in, version_of_name, versions_in, without


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("in Q3 2022 and in the second quarter of fiscal 2023", ["2022 Q3", "2023 Q2"]),
        ("2023q1_report.pdf", ["2023 Q1"]),
        (
            "minutes-2024-05-31.md, 20240601.txt, 07/28/2023, March 5, 2021, 6 May 2020",
            ["2024-05-31", "2024-06-01", "2023-07-28", "2021-03-05", "2020-05-06"],
        ),
        ("May 2020, but may not", ["2020-05"]),
        ("from 2019 to 2021; between 2001 and 2003; 2011–2012", ["2019", "2020", "2021", "2001", "2002", "2003", "2011", "2012"]),
        ("in 2021 and 2023", ["2021", "2023"]),
        ("4,2021 or 12021 or 2021.5 or a 10-Q", []),
        ("the first bridge in the third row", []),
    ],
)
def test_what_a_text_says(text: str, told: list[str]) -> None:
    assert [str(each.period) for each in periods_in(text)] == told


def test_a_period_holds_what_lies_in_it() -> None:
    quarter = Period(2023, 2)
    assert quarter.holds(Period(2023, 2)) and quarter.holds(Period(2023, month=6, day=30))
    assert not quarter.holds(Period(2023)) and not quarter.holds(Period(2023, month=7)) and not quarter.holds(Period(2022, 2))
    assert Period(quarter=2).holds(Period(2020, 2))
    assert Period(version=(2,)).holds(Period(version=(2, 19))) and not Period(version=(2, 1)).holds(Period(version=(2, 19)))
    assert not Period(2023).holds(Period(version=(2023, 1)))


def test_later_ones_have_larger_keys() -> None:
    rising = [Period(2021), Period(2022, 1), Period(2022, month=4), Period(2022, month=5, day=2), Period(2022, 4), Period(2023, month=1)]
    assert sorted(rising, key=lambda each: each.key) == rising


def test_versions() -> None:
    assert [str(each.period) for each in versions_in("v2.19/x.md, 2.20.1; 3.5% of 1,000.5")] == ["2.19", "2.20.1", "3.5"]
    assert version_of_name("docs_2_19") == Period(version=(2, 19))
    assert version_of_name("docs") is None


def test_stretches_are_left_out() -> None:
    assert without("the load in 2021 and 2022?", [(9, 16), (12, 16), (21, 25)]) == "the load and ?"


@pytest.mark.parametrize(
    "hostile", ["may " * 1000, "Q1" + " " * 3990, "first " * 600, "20" * 2000, "2023-" * 800, "1." * 2000, "q1 of the fiscal " * 230]
)
def test_no_question_takes_long(hostile: str) -> None:
    began = time.process_time()
    periods_in(hostile), versions_in(hostile)
    assert time.process_time() - began < 1
