"""Words and abbreviations of the trade, as plain text."""

from __future__ import annotations

GLOSSARY = """
HALDEN BRIDGE WORKS: WORDS AND ABBREVIATIONS

Kept by Ilse Vandermeer. If a word is missing, add it; if it is wrong, say so on Friday over soup. Last changed in August 2026.

ABUTMENT. The end support of a bridge, where it meets the bank.

ASR: alkali-silica reaction. A slow quarrel between cement and certain gravels that swells and cracks concrete in the pattern of
a map. Found at two of our bridges; there is no cure, only keeping the water out.

AVERAGE DAILY TRAFFIC, ADT. Vehicles in both directions on a mean day of the year. Skerry Bridge has 11,900, Lower Mill Bridge
140.

BEARING. The part between deck and pier that lets the deck grow and shrink with the temperature.

CATHODIC PROTECTION, CP. A small direct current that keeps reinforcement from rusting. At Brackwater Causeway the system draws
14 amperes and is checked every quarter.

ECRD: Eastmark County Roads Department, our largest client, fourteen years running.

FOOTING. The widened foot of a pier. Once you can see it, it is too late.

HCP: half-cell potential. A voltage taken between the bars and a copper electrode on the concrete; it tells how likely it is
that the steel rusts.

NDT: non-destructive testing. Finding out without breaking: ultrasound, magnetic particles, radar, the hammer.

PI and GI: principal inspection and general inspection. A PI touches everything, a GI looks.

PLUMB. Exactly upright. From the Latin for lead, which the bob was once made of; ours are brass, since lead is soft and
poisonous.

PRESTRESS. Steel pulled tight inside concrete before any load comes, so that the concrete stays squeezed.

R1. The single page form for a red notice. It is yellow, for reasons that nobody remembers.

SCOUR. The river digging around a foundation.

SPALLING. Pieces of concrete breaking off, mostly pushed by rusting bars.

SPANDREL. The space between an arch and the road above it, usually full of something heavy and wet.

TELL-TALE. A strip of glass cemented across a crack. When it breaks, the crack is moving.

UBIU: underbridge inspection unit. The lorry with the arm that reaches below the deck. We have one; it is called Greta and has
its own coffee machine.

VOUSSOIR. A wedge-shaped stone of an arch.

WEEP HOLE. A hole that lets water out of a wall. Blocked weep holes are the cheapest defect to repair and the dearest to ignore.
"""
