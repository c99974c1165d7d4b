"""Resolver, labels and scans over HTTP; labels are read back by a barcode reader."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, unquote

import pytest
import zxingcpp
from aiohttp import ClientResponse, ClientSession, web

from capture_node import TOKEN, TOKENS
from sealtrail.api import digital_link, labels, scan
from sealtrail.api.audited import Audited
from sealtrail.api.auth import Tokens
from sealtrail.api.cors import Origins
from sealtrail.api.gate import make_gate
from sealtrail.api.limits import Admission, make_runner
from sealtrail.api.metrics import HttpMetrics
from sealtrail.config import HttpSettings
from sealtrail.gs1 import CompanyPrefixes, parse_item

PUBLIC = "https://node.example"
GTIN = "10614141073464"
PACK = f"/01/{GTIN}/10/L7/21/A1B2"
VOC = "https://ref.gs1.org/voc/"
NOW_MS = 1_790_000_000_000  # September 2026


@pytest.fixture
async def node() -> AsyncIterator[tuple[ClientSession, str]]:
    """The routes behind the node's gate."""

    async def prefixes() -> CompanyPrefixes:
        return CompanyPrefixes.of(["0614141"])

    settings = HttpSettings()
    gate = make_gate(
        Tokens(TOKENS), Admission(settings), HttpMetrics(), Audited(None), Origins(()), lambda: 0.0
    )
    application = web.Application(middlewares=[gate])
    application.add_routes(digital_link.routes(name="ours", public_url=PUBLIC))
    application.add_routes(labels.routes())
    application.add_routes(scan.routes(prefixes, clock=lambda: NOW_MS))
    runner = make_runner(application, settings)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with ClientSession() as session:
        yield session, f"http://127.0.0.1:{runner.addresses[0][1]}"
    await runner.cleanup()


async def resolve(
    node: tuple[ClientSession, str], path: str, method: str = "GET", **headers: str
) -> ClientResponse:
    session, base = node
    response = await session.request(method, base + path, headers=headers, allow_redirects=False)
    await response.read()
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    return response


async def ask(
    node: tuple[ClientSession, str], path: str, *, method: str = "GET", **options: Any
) -> ClientResponse:
    session, base = node
    headers = {"Authorization": f"Bearer {TOKEN}"}
    response = await session.request(method, base + path, headers=headers, **options)
    await response.read()
    return response


async def test_a_link_leads_to_its_default(node: tuple[ClientSession, str]) -> None:
    response = await resolve(node, PACK)
    assert response.status == 307
    target, _, item = response.headers["Location"].partition("/v1/provenance/")
    assert target == PUBLIC
    assert parse_item(unquote(item)).canonical == f"https://id.gs1.org/01/{GTIN}/21/A1B2"
    assert parse_item(unquote(item)).lot == "L7"


async def test_head_and_a_slash_at_the_end_say_the_same(node: tuple[ClientSession, str]) -> None:
    plain = await resolve(node, PACK)
    for response in (await resolve(node, PACK, "HEAD"), await resolve(node, PACK + "/")):
        assert (response.status, response.headers["Location"]) == (307, plain.headers["Location"])


async def test_what_the_query_states_is_passed_on(node: tuple[ClientSession, str]) -> None:
    response = await resolve(node, PACK + "?17=271231&utm=x%26y&linkType=gs1:traceability")
    item = unquote(response.headers["Location"].partition("/v1/provenance/")[2])
    assert parse_item(item).expiry == "271231"
    assert item.endswith("&utm=x%26y")


@pytest.mark.parametrize(
    "spelling", ["gs1:", VOC, "https://gs1.org/voc/", "http://gs1.org/voc/", "https://www.gs1.org/voc/"]
)  # fmt: skip
async def test_a_link_type_is_had_by_any_spelling(
    node: tuple[ClientSession, str], spelling: str
) -> None:
    response = await resolve(node, f"{PACK}?linkType={quote(spelling + 'epcis', safe='')}")
    assert response.status == 307
    assert response.headers["Location"].startswith(f"{PUBLIC}/events?MATCH_anyEPC=https%3A")


async def test_a_link_type_that_is_not_there_is_not_found(node: tuple[ClientSession, str]) -> None:
    response = await resolve(node, PACK + "?linkType=gs1:recipeInfo")
    assert (response.status, (await response.json())["code"]) == (404, "link_type_unavailable")


@pytest.mark.parametrize(
    ("query", "accept", "media_type"),
    [
        ("?linkType=linkset", "*/*", "application/linkset+json"),
        ("?linkType=all", "application/json", "application/linkset+json"),
        ("", "application/linkset+json", "application/linkset+json"),
        ("?linkType=linkset", "text/html", "text/html"),
    ],
)
async def test_a_linkset_is_given_to_who_asks(
    node: tuple[ClientSession, str], query: str, accept: str, media_type: str
) -> None:
    response = await resolve(node, PACK + query, Accept=accept)
    assert (response.status, response.content_type) == (200, media_type)
    assert response.headers["Vary"] == "Accept"


async def test_a_linkset_has_every_level_and_every_link_its_title(
    node: tuple[ClientSession, str],
) -> None:
    response = await resolve(node, f"/gtin/{GTIN}/lot/L7/ser/A1B2?linkType=linkset")
    contexts = (await response.json(content_type=None))["linkset"]
    anchors = [context.pop("anchor") for context in contexts]
    assert anchors == [
        f"{PUBLIC}/01/{GTIN}/10/L7/21/A1B2",
        f"{PUBLIC}/01/{GTIN}/10/L7",
        f"{PUBLIC}/01/{GTIN}",
    ]
    for context in contexts:
        assert set(context) == {
            VOC + name for name in ("defaultLink", "traceability", "verificationService", "epcis")
        }
        for target in (target for targets in context.values() for target in targets):
            assert target["href"].startswith(PUBLIC)
            assert target["title"]
    assert "MATCH_anyEPCClass" in contexts[2][VOC + "epcis"][0]["href"]


async def test_every_answer_tells_where_the_linkset_is(node: tuple[ClientSession, str]) -> None:
    for query in ("", "?linkType=linkset"):
        link = (await resolve(node, PACK + query)).headers["Link"]
        assert f'<{PUBLIC}{PACK}?linkType=linkset>; rel="linkset"' in link
        assert f'<https://id.gs1.org/01/{GTIN}/21/A1B2>; rel="owl:sameAs"' in link


async def test_a_place_leads_to_its_events(node: tuple[ClientSession, str]) -> None:
    response = await resolve(node, "/414/0614141123452")
    assert response.headers["Location"].startswith(f"{PUBLIC}/events?EQ_bizLocation=")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        (f"/01/{GTIN[:-1]}5", "identifier_check_digit"),
        ("/01/notagtin", "identifier_value_malformed"),
        (PACK + "/foo", "link_malformed"),
        (f"/01/{GTIN}/8011/5", "link_qualifiers_disordered"),
        (f"/01/{GTIN}/21/A/10/L", "link_qualifiers_disordered"),
        (f"/01/{GTIN}?10=L7", "link_attribute_misplaced"),
        (f"/01/{GTIN}?999=x", "identifier_ai_unknown"),
        (f"/01/{GTIN}/21/%00", "identifier_value_malformed"),
        (f"/01/{GTIN}/21/{'x' * 21}", "identifier_value_malformed"),
        ("/getaway/x", "link_malformed"),
    ],
)
async def test_what_is_no_digital_link_is_refused(
    node: tuple[ClientSession, str], path: str, code: str
) -> None:
    response = await resolve(node, path)
    assert (response.status, (await response.json())["code"]) == (400, code)
    assert response.content_type == "application/problem+json"


async def test_a_party_has_no_links_here(node: tuple[ClientSession, str]) -> None:
    for query in ("", "?linkType=linkset"):
        assert (await resolve(node, "/417/0614141123452" + query)).status == 404


async def test_options_tell_scripts_that_they_may(node: tuple[ClientSession, str]) -> None:
    response = await resolve(node, PACK, "OPTIONS")
    assert response.status == 204
    assert response.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"


async def test_the_resolver_describes_itself(node: tuple[ClientSession, str]) -> None:
    response = await resolve(node, "/.well-known/gs1resolver")
    body = await response.json()
    assert (body["name"], body["resolverRoot"]) == ("ours", PUBLIC)
    assert {"00", "01", "414", "8006"} <= set(body["supportedPrimaryKeys"])


def read_png(picture: bytes) -> zxingcpp.Barcode:
    """Decode a picture by hand, and let the reader of the drawing library read it."""
    assert picture[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(picture):
        (size,) = struct.unpack(">I", picture[at : at + 4])
        kind, body = picture[at + 4 : at + 8], picture[at + 8 : at + 8 + size]
        (check,) = struct.unpack(">I", picture[at + 8 + size : at + 12 + size])
        assert check == zlib.crc32(kind + body)
        chunks[kind] = body
        at += 12 + size
    width, height, depth, colour, *_ = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert (depth, colour) == (1, 0)
    lines = zlib.decompress(chunks[b"IDAT"])
    stride = 1 + -(-width // 8)
    pixels = bytearray()
    for y in range(height):
        row = lines[y * stride + 1 : (y + 1) * stride]
        bits = "".join(f"{octet:08b}" for octet in row)[:width]
        pixels += bytes(255 if bit == "1" else 0 for bit in bits)
    (barcode,) = zxingcpp.read_barcodes(memoryview(bytes(pixels)).cast("B", shape=(height, width)))
    return barcode


def read_svg(picture: bytes) -> zxingcpp.Barcode:
    """Paint the path's rectangles, eight pixels a module, and read them."""
    text = picture.decode()
    found = re.search(r'viewBox="0 0 (\S+) (\S+)"', text)
    assert found
    width, height = (int(float(side) + 1) * 8 for side in found.groups())
    pixels = [bytearray(b"\xff" * width) for _ in range(height)]
    for x, y, run in re.findall(r"M(\d+) (\d+)h(\d+)", text):
        for row in pixels[int(y) * 8 : int(y) * 8 + 8]:
            row[int(x) * 8 : (int(x) + int(run)) * 8] = bytes(int(run) * 8)
    image = memoryview(b"".join(pixels)).cast("B", shape=(height, width))
    (barcode,) = zxingcpp.read_barcodes(image)
    return barcode


FULL = {"01": GTIN, "17": "271231", "10": "L7", "21": "A1B2"}


@pytest.mark.parametrize(
    "path",
    [
        f"/v1/label{PACK}?17=271231",
        f"/v1/label?item={quote('https://x.example' + PACK)}%3F17%3D271231",
        f"/v1/label?item=(01){GTIN}(21)A1B2&lot=L7&expiry=271231",
        "/v1/label?item=urn:epc:id:sgtin:0614141.107346.A1B2&lot=L7&expiry=2027-12-31",
        f"/v1/label/{quote(f'(01){GTIN}(10)L7(21)A1B2(17)271231', safe='')}",
        f"/v1/label?item={GTIN}&serial=A1B2&lot=L7&expiry=271231",
    ],
)
async def test_a_label_reads_back_as_gs1_data_matrix(
    node: tuple[ClientSession, str], path: str
) -> None:
    response = await ask(node, path)
    assert (response.status, response.content_type) == (200, "image/png")
    barcode = read_png(await response.read())
    assert barcode.symbology_identifier == "]d2"
    sent = barcode.symbology_identifier + barcode.bytes.decode()
    assert sent == f"]d201{GTIN}1727123110L7\x1d21A1B2"
    item = parse_item(sent)
    assert (item.gtin, item.serial, item.lot, item.expiry) == (GTIN, "A1B2", "L7", "271231")


async def test_a_label_as_vectors_has_its_text_below(node: tuple[ClientSession, str]) -> None:
    response = await ask(node, f"/v1/label{PACK}?17=271231&format=svg&text=yes&scale=2")
    picture = await response.read()
    assert response.content_type == "image/svg+xml"
    assert b">(17) 271231</text>" in picture
    assert read_svg(picture).symbology_identifier == "]d2"


async def test_a_qr_code_holds_the_digital_link(node: tuple[ClientSession, str]) -> None:
    response = await ask(node, f"/v1/label{PACK}?17=271231&symbology=qr&stem=https://node.example/")
    barcode = read_png(await response.read())
    assert barcode.text == f"https://node.example{PACK}?17=271231"
    assert barcode.symbology_identifier == "]Q1"


@pytest.mark.parametrize("serial", ["A(21)B", "a%b&c<d>\"e'?", "()(01)", "x" * 20, "A-_./!*+,:;="])
async def test_a_label_holds_any_serial(node: tuple[ClientSession, str], serial: str) -> None:
    response = await ask(node, "/v1/label", params={"item": GTIN, "serial": serial, "lot": "L"})
    assert response.status == 200, await response.text()
    barcode = read_png(await response.read())
    sent = barcode.symbology_identifier + barcode.bytes.decode()
    assert parse_item(sent).serial == serial


async def test_a_logistic_unit_has_a_label_too(node: tuple[ClientSession, str]) -> None:
    response = await ask(node, "/v1/label/00/106141412345678908")
    assert read_png(await response.read()).bytes == b"00106141412345678908"


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v1/label?item=urn:uuid:1af03ffb-0000-4000-8000-23868eb62023", "label_unavailable"),
        ("/v1/label?item=urn:epc:id:gid:1.2.3", "label_unavailable"),
        (f"/v1/label{PACK}?lot=L8", "label_contradictory"),
        (f"/v1/label{PACK}?expiry=271331", "identifier_value_malformed"),
        (f"/v1/label/01/{GTIN}?17=271231&21=A", "link_attribute_misplaced"),
        (f"/v1/label?item=(01){GTIN}(02){GTIN}(37)1", "elements_contradictory"),
        ("/v1/label?item=(21)A", "element_missing"),
        (f"/v1/label{PACK}?scale=41", "query_parameter_invalid"),
        (f"/v1/label{PACK}?scale=0", "query_parameter_invalid"),
        (f"/v1/label{PACK}?scale=00000000140000", "query_parameter_invalid"),
        (f"/v1/label{PACK}?scale=000000001{5000 * '0'}", "query_parameter_invalid"),
        (f"/v1/label{PACK}?symbology=ean", "query_parameter_invalid"),
        (f"/v1/label{PACK}?format=gif", "query_parameter_invalid"),
        (f"/v1/label{PACK}?text=perhaps&format=svg", "query_parameter_invalid"),
        (f"/v1/label{PACK}?stem=ftp://x&symbology=qr", "query_parameter_invalid"),
        (f"/v1/label{PACK}?stem=https://x.example/%3F&symbology=qr", "query_parameter_invalid"),
        (
            f"/v1/label{PACK}?stem=https://x.example/%00&symbology=qr&format=svg",
            "query_parameter_invalid",
        ),
        (f"/v1/label{PACK}?colour=red", "query_parameter_unknown"),
        ("/v1/label", "identifier_empty"),
    ],
)
async def test_a_label_that_cannot_be_is_refused(
    node: tuple[ClientSession, str], path: str, code: str
) -> None:
    response = await ask(node, path)
    assert (response.status, (await response.json())["code"]) == (400, code)


async def test_a_scan_is_told_with_its_control_characters(node: tuple[ClientSession, str]) -> None:
    text = f"]d201{GTIN}21A1B2\x1d1727120010L7"
    for response in (
        await ask(node, "/v1/scan", params={"text": text}),
        await ask(node, "/v1/scan", method="POST", data=text.encode()),
    ):
        body = await response.json()
        assert response.status == 200, body
        assert body["item"]["canonical"] == f"https://id.gs1.org/01/{GTIN}/21/A1B2"
        assert body["urn"] == "urn:epc:id:sgtin:0614141.107346.A1B2"
        assert body["digital_link"] == f"https://id.gs1.org{PACK}?17=271200"
        assert body["element_string"] == f"(01){GTIN}(21)A1B2(17)271200(10)L7"
        assert {e["ai"]: e.get("date") for e in body["elements"]}["17"] == "2027-12-31"
        assert body["problems"] == []


@pytest.mark.parametrize(
    ("text", "link"),
    [
        ("urn:epc:id:sgtin:0614141.107346.A1B2", f"https://id.gs1.org/01/{GTIN}/21/A1B2"),
        (f"https://x.example{PACK}?17=271231&utm=1", f"https://id.gs1.org{PACK}?17=271231"),
        (f"https://x.example/01/{GTIN}/21/A?10=L7", f"https://id.gs1.org/01/{GTIN}/21/A"),
        ("https://example.com/tote/17", None),
    ],
)
async def test_an_identifier_is_told_as_a_scan_is(
    node: tuple[ClientSession, str], text: str, link: str | None
) -> None:
    body = await (await ask(node, "/v1/scan", params={"text": text})).json()
    assert body["digital_link"] == link
    assert body["item"]["canonical"]


async def test_a_urn_that_is_not_known_says_why(node: tuple[ClientSession, str]) -> None:
    for text, code in (
        ("(00)040000000000000006", "company_prefix_unknown"),
        ("https://example.com/tote/17", "identifier_without_urn"),
    ):
        body = await (await ask(node, "/v1/scan", params={"text": text})).json()
        assert (body["urn"], body["no_urn"]["code"]) == (None, code)


async def test_a_scan_that_names_no_item_says_why(node: tuple[ClientSession, str]) -> None:
    body = await (await ask(node, "/v1/scan", params={"text": "(414)0614141123452"})).json()
    assert (body["item"], body["no_item"]["code"]) == (None, "identifier_of_no_item")
    assert body["elements"][0]["title"] == "LOC No."


async def test_an_ambiguous_scan_is_refused_with_its_candidates(
    node: tuple[ClientSession, str],
) -> None:
    response = await ask(node, "/v1/scan", params={"text": f"01{GTIN}21A1B21727123110L7"})
    body = await response.json()
    assert (response.status, body["code"]) == (400, "scan_ambiguous")
    assert f"(01){GTIN}(21)A1B2(17)271231(10)L7" in body["candidates"]


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"params": {"text": "x" * 2001}}, 400, "identifier_too_long"),
        ({"params": {"text": ""}}, 400, "identifier_empty"),
        ({"method": "POST", "data": b"x" * 2001}, 413, "identifier_too_long"),
        ({"method": "POST", "data": b"\xff\xfe"}, 400, "identifier_malformed"),
        ({"params": {"txt": "1"}}, 400, "query_parameter_unknown"),
    ],
)
async def test_what_is_no_scan_is_refused(
    node: tuple[ClientSession, str], options: dict[str, Any], status: int, code: str
) -> None:
    response = await ask(node, "/v1/scan", **options)
    assert (response.status, (await response.json())["code"]) == (status, code)


@pytest.mark.parametrize("path", ["/v1/scan?text=1", f"/v1/label{PACK}"])
async def test_scans_and_labels_want_a_token(node: tuple[ClientSession, str], path: str) -> None:
    session, base = node
    async with session.get(base + path) as response:
        assert response.status == 401
