"""What pip-audit found: exit 1 for an advisory; a loud word where its source could not be asked."""

import json
import sys
from pathlib import Path

LOUD = "!" * 80


def main(report: Path) -> None:
    text = report.read_text("utf-8") if report.exists() else ""
    packages = json.loads(text)["dependencies"] if text.strip() else []
    skipped = sum("skip_reason" in one for one in packages)
    found = [
        f"{one['name']} {one['version']}: {flaw['id']}" for one in packages for flaw in one.get("vulns", [])
    ]
    if skipped or not packages:
        print(LOUD, "NOT AUDITED: the source of advisories could not be reached for", sep="\n")
        print(f"{skipped or 'any'} of {len(packages)} packages", LOUD, sep="\n")
    print(f"{len(packages) - skipped} packages audited, {len(found)} advisories")
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
