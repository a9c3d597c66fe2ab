"""The first month of a new inspector."""

from __future__ import annotations

ONBOARDING = """
# Your First Month at Halden Bridge Works

For new inspectors. Questions go to Ilse Vandermeer, who looks after newcomers and remembers what it was like.

## Before you come

You will get a parcel with a helmet, boots, a jacket of class 3 and a brass plumb bob of 400 grams. The bob is yours for life.
The firm was founded in Varnes in 1978 by Ingrid Halden and Tomas Brekke, who had one theodolite between them, and every
colleague since has been given a bob on the first day. Today we are 64 people in three depots: Varnes, Kjelstad and Munroe Quay.

## Week 1: papers and people

On Monday you meet your mentor, sign for your keys, and read the field inspection manual from cover to cover. It takes a day and
there is no test, but your mentor will ask what you disagree with. On Wednesday the data steward, Pilar Etxeberria, explains how
photographs and readings are stored and who may see them. On Friday there is soup; the newest colleague chooses it.

## Week 2: the practice wall

Behind the Kjelstad depot stands a wall with 40 built-in defects. You have four hours to find as many as you can. The average
newcomer finds 27 and the record is 38. Then you walk along it again with Dariusz Wolan, who built it, and who has never told
anyone where the last two are.

## Week 3: ropes and water

Everyone takes the two day rescue course, including those who will never climb, because the person on the ground must know what
the person in the air needs. You also learn to read a staff gauge from a moving boat. Bring dry socks.

## Week 4: first bridge

You join a general inspection as third person and write the report as if you were leading it. Your mentor marks it in green.
Nobody's first report has ever gone out unchanged, including that of Marit Solheim, whose first one hangs framed in the canteen
with 61 corrections.

## How grades are earned

| Grade | What it needs | What you may lead |
|---|---|---|
| C | the first month and ten general inspections as third person | nothing yet |
| B | two years, 30 inspections, the written examination | general inspections |
| A | six years, rope level 2, a defence before three grade A inspectors | principal inspections |

## Hours, leave and small print

The working week has 37.5 hours. Field days over ten hours earn an hour and a half of leave for every extra hour. Holiday is 27
days a year, and five of them may be carried into the next spring. Expenses are claimed by the fifth of the following month. The
meal allowance and the rules for the night train are in the travel letter of March 2026. If you are ill, telephone the depot
before seven, so that the second person does not drive for nothing.
"""
