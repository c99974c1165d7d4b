"""``GET /v1/item-index/{item}``: the complete list of this member's entries that name an item, and its proof.

An item that no entry names is an answer, and proven as any other.
"""

from __future__ import annotations

from aiohttp import web

from sealtrail.api.auth import needs
from sealtrail.api.item_text import check_parameters, item_text
from sealtrail.api.responses import json_response
from sealtrail.errors import InputError
from sealtrail.gs1 import parse_item
from sealtrail.services.own_log.item_lists import ItemListService, item_list_json

_PARAMETERS = frozenset({"item", "packs"})


def routes(lists: ItemListService) -> list[web.RouteDef]:
    """Return the item index's routes."""

    @needs("provenance")
    async def get_complete_list(request: web.Request) -> web.Response:
        check_parameters(request, _PARAMETERS)
        item = parse_item(item_text(request))
        answer = await lists.complete_list(item.canonical, packs=_packs(request))
        return json_response(item_list_json(answer))

    return [
        web.get("/v1/item-index", get_complete_list),
        # as of provenance: an identifier may hold slashes
        web.get("/v1/item-index/{item:.+}", get_complete_list),
    ]


def _packs(request: web.Request) -> bool:
    text = request.query.get("packs", "false")
    if text not in ("true", "false"):
        raise InputError(
            "packs_invalid", f"packs is {text[:40]!r}, expected true or false", pointer="packs"
        )
    return text == "true"
