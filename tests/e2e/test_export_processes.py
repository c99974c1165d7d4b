"""Export from a real node of a network: what goes into EPCIS 1.2 has URNs, by the members' own company prefixes."""

from __future__ import annotations

import json
from pathlib import Path

from lxml import etree

from e2e.devnet_process import devnet
from e2e.test_devnet_life import PACK, commissioning


def test_digital_links_become_urns_by_the_members_prefixes(tmp_path: Path) -> None:
    with devnet(tmp_path / "net") as running:
        (tmp_path / "in.json").write_text(json.dumps(commissioning("A1")))
        running.run("manufacturer", "capture", str(tmp_path / "in.json"))
        output = tmp_path / "out.xml"
        told = running.json(
            "manufacturer", "export", "-o", str(output), "--form", "xml-1.2", "--item", PACK + "A1"
        )
        assert told["events"] == 1
        root = etree.parse(str(output)).getroot()
        assert [e.text for e in root.iterfind(".//epc")] == ["urn:epc:id:sgtin:9521001.000101.A1"]
        assert root.findtext(".//readPoint/id") == "urn:epc:id:sgln:9521001.00001.0"
