"""Names of the JSON form: a prefix for each namespace of an event, whichever prefixes its document uses.

The document's own prefix is kept where it can be. It never matters to the event hash.
"""

from __future__ import annotations

import re
from typing import Any

from lxml import etree

from sealtrail.epcis.context import KNOWN_PREFIXES, STANDARD_CONTEXT, URI_SCHEMES
from sealtrail.epcis.fields import is_uri
from sealtrail.epcis.xml.parsing import Element
from sealtrail.epcis.xml.places import split_tag
from sealtrail.errors import InputError

_KNOWN_NAMESPACES = {namespace: prefix for prefix, namespace in KNOWN_PREFIXES.items()}
# what no prefix of a document may come to mean: GS1's own, and the beginnings of URIs
_TAKEN = KNOWN_PREFIXES.keys() | URI_SCHEMES
_is_prefix = re.compile(r"[A-Za-z][A-Za-z0-9.\-]{0,63}").fullmatch
# In the JSON form, prefixes of these are written out in values: they must not depend on the document's choice.
_GS1 = ("https://ref.gs1.org", "https://gs1.org")
_prefixed_name = etree.XPath("name(@*[local-name() = $local and namespace-uri() = $namespace])")


class Prefixes:
    """The prefixes of one event, given out in the order in which its namespaces come up.

    ``declared_bytes``: no fewer than exclusive C14N writes for the declarations of these namespaces.
    """

    __slots__ = ("_names", "_namespaces", "_prefixes", "declared_bytes")

    def __init__(self) -> None:
        self._namespaces: dict[str, str] = {}  # by prefix
        self._prefixes: dict[str, str] = {}  # by namespace
        self._names: dict[str, str] = {}  # by tag
        self.declared_bytes = 0

    def context(self) -> list[Any]:
        """Return the ``@context`` of the JSON form."""
        return (
            [STANDARD_CONTEXT, dict(self._namespaces)] if self._namespaces else [STANDARD_CONTEXT]
        )

    def element(self, element: Element) -> str:
        """Return the name of somebody's own element in the JSON form.

        Raises:
            InputError: ``xml_namespace_malformed``, ``name_malformed``; without a place.
        """
        tag = str(element.tag)
        name = self._names.get(tag)
        if name is None:
            name = self._name(tag, element.prefix)
        self._count(tag)
        return name

    def attribute(self, element: Element, tag: str) -> str:
        """Return the name of somebody's own attribute in the JSON form; raises as :meth:`element`."""
        name = self._names.get(tag)
        if name is None:
            namespace, local = split_tag(tag)
            given = ""
            if namespace not in self._prefixes and namespace not in _KNOWN_NAMESPACES:
                given = str(_prefixed_name(element, local=local, namespace=namespace))
            name = self._name(tag, given.partition(":")[0] or None)
        self._count(tag)
        return name

    def _count(self, tag: str) -> None:
        if tag[:1] == "{":
            self.declared_bytes += tag.index("}") + 16

    def _name(self, tag: str, given: str | None) -> str:
        namespace, local = split_tag(tag)
        name = f"{self._prefix(namespace, given)}:{local}" if namespace else local
        if namespace and not is_uri(name):
            raise InputError(
                "name_malformed", f"{name[:100]!r} is no well-formed name of an extension."
            )
        self._names[tag] = name
        return name

    def _prefix(self, namespace: str, given: str | None) -> str:
        known = _KNOWN_NAMESPACES.get(namespace) or self._prefixes.get(namespace)
        if known is not None:
            return known
        if not is_uri(namespace):
            raise InputError(
                "xml_namespace_malformed", f"The namespace {namespace[:100]!r} is no absolute URI."
            )
        prefix = given if given is not None and self._is_free(given, namespace) else self._next()
        self._prefixes[namespace] = prefix
        self._namespaces[prefix] = namespace
        return prefix

    def _is_free(self, prefix: str, namespace: str) -> bool:
        return (
            prefix not in self._namespaces
            and prefix not in _TAKEN
            and _is_prefix(prefix) is not None
            and not namespace.startswith(_GS1)
        )

    def _next(self) -> str:
        number = len(self._namespaces) + 1
        while f"ns{number}" in self._namespaces:
            number += 1
        return f"ns{number}"
