"""A regulator's node audits a maker's item index, and evidence that the maker's node gives out shows it."""

from __future__ import annotations

import json
from pathlib import Path

from e2e.devnet_process import devnet, sealtrail, until

SECONDS_MAX = 120.0


def test_evidence_shows_that_a_regulator_audited_the_index(tmp_path: Path) -> None:
    with devnet(tmp_path / "net", "--nodes", "4") as running:
        maker = running.node("manufacturer")
        prefix, gln = maker["numbering_rights"][0], maker["glns"][0]
        pack = f"urn:epc:id:sgtin:{prefix}.{'012345'[: 13 - len(prefix)]}.A1"
        event = {
            "type": "ObjectEvent",
            "eventTime": "2026-03-01T08:00:00.000Z",
            "eventTimeZoneOffset": "+00:00",
            "epcList": [pack],
            "action": "ADD",
            "bizStep": "commissioning",
            "disposition": "active",
            "readPoint": {"id": f"https://id.gs1.org/414/{gln}"},
            "bizLocation": {"id": f"https://id.gs1.org/414/{gln}"},
        }
        document = tmp_path / "made.json"
        document.write_text(
            json.dumps(
                {
                    "@context": ["https://ref.gs1.org/standards/epcis/2.0.0/epcis-context.jsonld"],
                    "type": "EPCISDocument",
                    "schemaVersion": "2.0",
                    "creationDate": "2026-03-01T08:00:00.000Z",
                    "epcisBody": {"eventList": [event]},
                }
            )
        )
        at = ("--node", maker["url"], "--token", maker["token"])
        sealtrail("capture", str(document), *at)
        trust, bundle = tmp_path / "trust.json", tmp_path / "pack.jsonl"
        sealtrail("trust", "export", "-o", str(trust), *at)

        def shown() -> dict[str, object] | None:
            made = sealtrail("evidence", pack, "-o", str(bundle), *at, check=False)
            if made.returncode:  # not anchored yet
                return None
            read = sealtrail("verify", str(bundle), "--trust", str(trust), "--json", check=False)
            report: dict[str, object] = json.loads(read.stdout)
            return report if report["completeness"] == "index-audited" else None

        report = until(shown, "an audit by the regulator", SECONDS_MAX)
        answer = next(
            line
            for line in map(json.loads, bundle.read_text().splitlines())
            if line["type"] == "answer"
        )
        assert answer["completeness"]["auditors"] == 1
        steps = {step["name"]: step["outcome"] for step in report["steps"]}
        assert steps["completeness"] == steps["cosignatures"] == "holds"
