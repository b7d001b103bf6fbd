"""Paired table of two programs' lesions; called by `compare`."""

import csv
import json
import sys
from pathlib import Path

CLASSES = ("CMB", "NHID")
TABLE = "_desc-lesions.tsv"


def scans(folder: Path) -> dict:
    """Lesions and warnings of each scan below a folder."""
    found = {}
    for table in sorted(folder.rglob(f"*{TABLE}")):
        with table.open() as lines:
            rows = list(csv.DictReader(lines, delimiter="\t"))
        sheet = json.loads(Path(str(table).replace(".tsv", "_qc.json")).read_text())
        places = [
            (row["class"], *(round(float(row[axis])) for axis in ("x_mm", "y_mm", "z_mm")), float(row["volume_mm3"]))
            for row in rows
        ]
        counts = [sum(row["class"] == name for row in rows) for name in CLASSES]
        warnings = [warning["Code"] for warning in sheet.get("Warnings", [])]
        dataset = table.relative_to(folder).parts[0]
        found[f"{dataset}/{table.name.removesuffix(TABLE)}"] = (counts, places, warnings)
    return found


def main(out: Path) -> None:
    old, new = scans(out / "old"), scans(out / "new")
    names = sorted(old.keys() | new.keys())
    with (out / "pairs.tsv").open("w") as table:
        print("scan\tCMB_old\tCMB_new\tNHID_old\tNHID_new\twarnings_new", file=table)
        for name in names:
            counts = [found[name][0] if name in found else ["failed"] * 2 for found in (old, new)]
            warned = ",".join(new[name][2]) if name in new else ""
            print(name, *(side[k] for k in (0, 1) for side in counts), warned, sep="\t", file=table)
    both = [name for name in names if name in old and name in new]
    counts_differ = [name for name in both if old[name][0] != new[name][0]]
    places_differ = [name for name in both if old[name][1] != new[name][1] and name not in counts_differ]
    print(f"{len(old)} scans of the old program and {len(new)} of the new one; counts differ in {len(counts_differ)}")
    for name in counts_differ:
        print(f"{name}: {old[name][0]} became {new[name][0]}")
        print("  only old:", [row for row in old[name][1] if row not in new[name][1]])
        print("  only new:", [row for row in new[name][1] if row not in old[name][1]])
    print(f"the same counts, other places or volumes: {len(places_differ)} {places_differ}")
    for name in new:
        if new[name][2]:
            print(f"warned of {name}: {', '.join(new[name][2])}")


main(Path(sys.argv[1]))
