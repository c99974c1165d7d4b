"""Master data for tests: vocabularies of a maker's products and a site with rooms."""

from __future__ import annotations

from typing import Any

EPC_CLASS = "urn:epcglobal:epcis:vtype:EPCClass"
LOCATION = "urn:epcglobal:epcis:vtype:Location"
PARTY = "urn:epcglobal:epcis:vtype:Party"
MDA = "urn:epcglobal:cbv:mda#"

PRODUCT = "urn:epc:idpat:sgtin:4012345.011111.*"
PRODUCT_LINK = "https://id.gs1.org/01/04012345111118"
SITE = "urn:epc:id:sgln:4012345.00001.0"
SITE_LINK = "https://id.gs1.org/414/4012345000016"
ROOM, SHELF = "urn:epc:id:sgln:4012345.00001.room", "urn:epc:id:sgln:4012345.00001.shelf"


def element(identifier: str, *children: str, **attributes: Any) -> dict[str, Any]:
    """Return an element; attributes are CBV's own."""
    return {
        "id": identifier,
        "attributes": [{"id": MDA + name, "attribute": v} for name, v in attributes.items()],
        **({"children": list(children)} if children else {}),
    }


def vocabulary(kind: str, *elements: dict[str, Any]) -> dict[str, Any]:
    """Return a vocabulary."""
    return {"type": kind, "vocabularyElementList": list(elements)}


def header(*vocabularies: dict[str, Any]) -> dict[str, Any]:
    """Return a document's header."""
    return {"epcisMasterData": {"vocabularyList": list(vocabularies)}}


def product(**more: Any) -> dict[str, Any]:
    """Return the vocabulary of one product."""
    attributes = {
        "regulatedProductName": "Epcistra",
        "strengthDescription": "100 mg",
        "dosageFormType": "PILL",
        "netContentDescription": "20 pills",
        **more,
    }
    return vocabulary(EPC_CLASS, element(PRODUCT, **attributes))


def site(**more: Any) -> dict[str, Any]:
    """Return the vocabulary of a site, a room in it and a shelf in that."""
    attributes = {"name": "Plant 1", "city": "Bonn", "countryCode": "DE", **more}
    return vocabulary(
        LOCATION,
        element(SITE, ROOM, **attributes),
        element(ROOM, SHELF, name="Cold room"),
        element(SHELF, name="Shelf"),
    )


XML_VOCABULARIES = f"""
<VocabularyList>
  <Vocabulary type="{EPC_CLASS}">
    <VocabularyElementList>
      <VocabularyElement id="{PRODUCT}">
        <attribute id="{MDA}regulatedProductName">Epcistra</attribute>
        <attribute id="{MDA}strengthDescription">100 mg</attribute>
      </VocabularyElement>
    </VocabularyElementList>
  </Vocabulary>
  <Vocabulary type="{LOCATION}">
    <VocabularyElementList>
      <VocabularyElement id="{SITE}">
        <attribute id="{MDA}name">Plant 1</attribute>
        <attribute id="http://x.test/address"><y:street xmlns:y="http://y.test/">Way 1</y:street></attribute>
        <children><id>{ROOM}</id></children>
      </VocabularyElement>
    </VocabularyElementList>
  </Vocabulary>
</VocabularyList>"""


def xml_master_data(version: int, vocabularies: str = XML_VOCABULARIES) -> bytes:
    """Return an EPCISMasterDataDocument of EPCIS 1.2 or 2.0."""
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<m:EPCISMasterDataDocument xmlns:m="urn:epcglobal:epcis-masterdata:xsd:{version}"
    schemaVersion="{version}.0" creationDate="2026-03-01T10:00:00Z">
  <EPCISBody>{vocabularies}</EPCISBody>
</m:EPCISMasterDataDocument>""".encode()


def xml_document(events: str = "", vocabularies: str = XML_VOCABULARIES, version: int = 1) -> bytes:
    """Return an EPCISDocument with master data in its header, where EPCIS 1.2 or 2.0 has it."""
    data = f"<EPCISMasterData>{vocabularies}</EPCISMasterData>"
    header = f"<extension>{data}</extension>" if version == 1 else data
    return f"""<?xml version="1.0" encoding="UTF-8"?>
<e:EPCISDocument xmlns:e="urn:epcglobal:epcis:xsd:{version}"
    schemaVersion="{"1.2" if version == 1 else "2.0"}" creationDate="2026-03-01T10:00:00Z">
  <EPCISHeader>{header}</EPCISHeader>
  <EPCISBody><EventList>{events}</EventList></EPCISBody>
</e:EPCISDocument>""".encode()
