"""Questions that bridge owners ask, answered on the web site."""

from __future__ import annotations

CLIENT_QUESTIONS = """
# Questions Bridge Owners Ask Us

Last changed on 30 June 2026 by Marit Solheim, managing engineer.

## What do the grades from 1 to 5 mean for my budget?

Grades 1 and 2 need only the upkeep that you pay for anyway. Grade 3 means that a repair put off beyond three years will cost
about twice as much. Grade 4 belongs in next year's budget. Grade 5 is not a budget question: the bridge is closed. In our
register one bridge in seven stands at grade 4 and none that is open stands at grade 5.

## Can traffic keep running while you inspect?

Nearly always. A general inspection takes no lane. A principal inspection closes one lane for part of the time, mostly between
nine and three. We ask for a full closure only when the underbridge unit must turn on a deck narrower than six metres.

## Why do you still use a plumb line?

Because it cannot be wrong without our noticing. A weight on a string needs no battery and no calibration, and a mayor
understands it at once. We check the string against the optical plummet and the plummet against the string. When they disagree
we find out why before anybody is told a number.

## Do drones make inspections cheaper?

They make them better, and sometimes cheaper. A drone finds stains, cracks wider than 0.3 millimetres and missing bolts. It
cannot hear a hollow sound, scrape off rust or push a probe into timber. We fly first and climb where the pictures tell us to,
which saves about a third of the rope days on a large structure. A drone survey alone never counts as a principal inspection.

## How soon do we get the report?

You get a telephone call on the last field day and the signed report within twenty working days. If we find danger, you hear it
from the bridge, within two hours, as a red notice.

## Who owns the data, and can we have it?

The reports are yours. Photographs and raw readings stay with us for twenty years and you get copies within five working days of
asking. We also publish a yearly file in an open format, so that you can change engineers without losing your history. We would
be sorry, but we would not make it hard.

## What happens after a flood?

Tell us when the gauge passes its alert level, or let our sensors do it. We probe the bed as soon as the water allows. Until
then keep the bridge closed if the water touched the deck, even if it looks well: Otter Bridge looked well in November 2023,
with a hole under its second pier that was deep enough to stand in.

## Is a small bridge worth inspecting?

Lower Mill Bridge is 14.8 metres long and carries the only road to 31 houses and a dairy. When it was closed for nine days in
2021 the detour was 44 kilometres. Ask the dairy.
"""
