"""The bridge register, the equipment workbook and the inspection schedule: the samples that are tables."""

from __future__ import annotations

from plumbline.samples.blocks import Sheet

# A row here is a row of the table: the formatter would put every cell on a line of its own.
# fmt: off
REGISTER = Sheet(
    "Register",
    ("Number", "Bridge", "Owner", "Type", "Spans", "Length m", "Built", "Crosses", "Load limit t", "Grade", "Remark"),
    (
        ("B-001", "Quarrel Gorge Viaduct", "Eastmark County", "granite arch", 11, 214.6, 1887, "River Quarrel", 26, 3,
         "Pier 7 leans north and carries two tiltmeters"),
        ("B-002", "Otter Bridge", "Eastmark County", "prestressed concrete beam", 3, 71.2, 1969, "River Otter", 44, 2,
         "Pier 2 underpinned in 2024 after the scour of November 2023"),
        ("B-003", "Munroe Quay Swing Bridge", "Port of Varnes", "steel swing span", 2, 58.0, 1931, "Inner harbour", 12, 3,
         "Opens on request with four hours' notice"),
        ("B-004", "Sankt Olaf Footbridge", "City of Varnes", "cable-stayed steel", 1, 96.4, 2008, "River Varn", 5, 1,
         "Dampers retuned in 2010 because walkers felt it sway"),
        ("B-005", "Tannery Lane Bridge", "City of Varnes", "brick arch", 1, 9.1, 1842, "Mill race", 18, 3,
         "Listed monument, no fixings into the brickwork"),
        ("B-006", "Kjelstad High Bridge", "Eastmark County", "steel truss", 5, 183.0, 1954, "River Varn", 40, 3,
         "Lead paint under the topcoat, full containment when blasting"),
        ("B-007", "Ferryman's Bridge", "Eastmark County", "composite plate girder", 4, 132.5, 1988, "River Otter", 60, 2,
         "Elastomeric bearings at abutment east replaced in June 2026"),
        ("B-008", "Brackwater Causeway", "Eastmark County", "reinforced concrete slab", 22, 308.0, 1973, "Brackwater marsh", 44, 4,
         "Chloride in the deck, load limit to be reviewed in spring 2027"),
        ("B-009", "Lower Mill Bridge", "Eastmark County", "timber beam", 2, 14.8, 1996, "Mill stream", 7.5, 2,
         "Deck planks turned over in 2021, next change due 2031"),
        ("B-010", "Airfield Link Overbridge", "Eastmark County", "prestressed concrete beam", 2, 44.0, 2003, "National road 9", 60, 1,
         "Struck by an excavator on a lorry in March 2025, no damage"),
        ("B-011", "Cold Ash Aqueduct", "Waterways Trust", "cast iron trough", 3, 49.5, 1809, "Cold Ash valley", 0, 3,
         "The oldest iron in the register, drained every tenth winter"),
        ("B-012", "Harrow Pass Gallery", "Eastmark County", "concrete avalanche gallery", 9, 120.0, 1979, "Harrow Pass", 44, 2,
         "Inspected only between June and September"),
        ("B-013", "Varnes Station Footbridge", "Railway Authority", "steel lattice", 2, 31.0, 1902, "Main line", 4, 4,
         "Closed to the public since 9 February 2026, stairs corroded through"),
        ("B-014", "Skerry Bridge", "Eastmark County", "concrete box girder", 7, 402.0, 1992, "Skerry Sound", 60, 2,
         "Weather mast on pier 4, closed to high vehicles above 24 metres a second"),
    ),
)

OWNERS = Sheet(
    "Owners",
    ("Owner", "Control room", "Contact", "Red notices go to"),
    (
        ("Eastmark County", "+00 555 0140", "Helen Okafor", "county control room, then Helen Okafor"),
        ("Port of Varnes", "+00 555 0162", "Lucian Petrov", "harbour master on channel 12"),
        ("City of Varnes", "+00 555 0119", "Nadia Rahman", "city works night desk"),
        ("Railway Authority", "+00 555 0177", "Sven Aas", "signal box Varnes West"),
        ("Waterways Trust", "+00 555 0133", "Bethan Price", "lock keeper at Cold Ash"),
    ),
)

INSTRUMENTS = Sheet(
    "Instruments",
    ("Tag", "Instrument", "Serial number", "Depot", "Last calibration", "Next calibration", "Accuracy", "Remark"),
    (
        ("HBW-011", "Optical plummet", "OP-77120", "Varnes", "2026-02-17", "2027-02-17", "0.5 mm in 30 m",
         "The only one fit for piers above 40 metres"),
        ("HBW-014", "Half-cell kit, copper sulphate", "HC-2093", "Kjelstad", "2026-06-02", "2026-12-02", "5 mV",
         "Refill the copper sulphate before every survey"),
        ("HBW-019", "Cover meter", "CM-55081", "Varnes", "2025-11-24", "2026-11-24", "1 mm", "Reads low over galvanised bars"),
        ("HBW-022", "Hand anemometer", "AN-31877", "Munroe Quay", "2026-04-09", "2027-04-09", "0.3 m/s",
         "Goes with the rope team, never with the drone team"),
        ("HBW-027", "Ultrasonic thickness gauge", "UT-1408", "Varnes", "2026-01-13", "2027-01-13", "0.1 mm",
         "Couplant is in the blue case"),
        ("HBW-030", "Torque wrench 1000 Nm", "TW-9001", "Kjelstad", "2026-08-20", "2027-02-20", "3 percent",
         "Calibrated every six months, not every year"),
        ("HBW-033", "Crack comparator, set of twelve", "CC-0012", "Varnes", "2024-05-30", "2029-05-30", "0.05 mm",
         "Replace a card when its scale is scratched"),
        ("HBW-036", "Total station", "TS-60415", "Varnes", "2026-03-03", "2027-03-03", "1 second",
         "On loan to the university until January 2027"),
        ("HBW-041", "Rebound hammer", "RH-7716", "Munroe Quay", "2025-09-15", "2026-09-15", "2 units", "Overdue, locked in the cabinet"),
        ("HBW-045", "Magnetic particle yoke", "MP-2200", "Kjelstad", "2026-07-07", "2027-07-07", "lifts 4.5 kg",
         "For welds of the Kjelstad High Bridge"),
    ),
)

ROPES = Sheet(
    "Ropes and harnesses",
    ("Item", "Serial number", "First use", "Retire by", "Last inspection", "Inspector", "Remark"),
    (
        ("Rope 11 mm, 100 m", "R-2210", "2022-03-14", "2027-03-14", "2026-09-01", "Aoife Brennan", "Middle mark renewed"),
        ("Rope 11 mm, 200 m", "R-2304", "2023-05-02", "2028-05-02", "2026-09-01", "Aoife Brennan",
         "Kept for the gorge, too long for the quay"),
        ("Rope 11 mm, 60 m", "R-2107", "2021-08-30", "2026-08-30", "2026-03-02", "Teo Marangoni", "Red tape, waits for scrapping"),
        ("Harness, size 2", "H-0418", "2024-01-22", "2029-01-22", "2026-09-02", "Aoife Brennan", "Chest buckle replaced by the maker"),
        ("Harness, size 1", "H-0422", "2024-01-22", "2029-01-22", "2026-09-02", "Aoife Brennan",
         "No remarks at the last two inspections"),
    ),
)

SCHEDULE = Sheet(
    "Inspection schedule 2027",
    ("bridge", "name", "kind", "start", "field_days", "lead", "access", "note"),
    (
        ("B-008", "Brackwater Causeway", "principal", "2027-03-15", 16, "Dariusz Wolan", "boat",
         "Load test with four gritting lorries on the last day"),
        ("B-003", "Munroe Quay Swing Bridge", "general", "2027-04-06", 2, "Ilse Vandermeer", "walkway",
         "Harbour closed to masts on both days"),
        ("B-006", "Kjelstad High Bridge", "principal", "2027-04-19", 14, "Aoife Brennan", "rope",
         "Blood lead test for the team before and after"),
        ("B-005", "Tannery Lane Bridge", "general", "2027-05-10", 1, "Samir Haddad", "ladder", "Heritage officer attends at ten o'clock"),
        ("B-012", "Harrow Pass Gallery", "general", "2027-06-21", 2, "Ilse Vandermeer", "walkway",
         "Snow poles must be out of the road first"),
        ("B-004", "Sankt Olaf Footbridge", "principal", "2027-08-02", 5, "Aoife Brennan", "rope",
         "Night work only, trams run until one in the morning"),
        ("B-011", "Cold Ash Aqueduct", "principal", "2027-10-04", 9, "Dariusz Wolan", "scaffold",
         "Trough is drained from the first of October"),
        ("B-014", "Skerry Bridge", "general", "2027-05-24", 4, "Samir Haddad", "underbridge unit",
         "Wind reserve of three days agreed with the county"),
        ("B-010", "Airfield Link Overbridge", "general", "2027-07-05", 1, "Samir Haddad", "ground",
         "Lane closure on National road 9 from ten at night"),
        ("B-009", "Lower Mill Bridge", "general", "2027-09-13", 1, "Ilse Vandermeer", "ground",
         "Drill resistance test on the two outer beams"),
    ),
)
# fmt: on
