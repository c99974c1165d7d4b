"""Where in an XML document something stands: a path of elements, and a line."""

from __future__ import annotations

from sealtrail.epcis.xml.parsing import Element
from sealtrail.errors import InputError

# The standard's own namespaces, of 2.0 and of 1.x.
EPCIS_2 = "urn:epcglobal:epcis:xsd:2"
EPCIS_1 = "urn:epcglobal:epcis:xsd:1"
QUERY_2 = "urn:epcglobal:epcis-query:xsd:2"
QUERY_1 = "urn:epcglobal:epcis-query:xsd:1"
STANDARD = frozenset((EPCIS_2, EPCIS_1, QUERY_2, QUERY_1))
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
BLANKS = " \t\r\n"
"""What is layout in XML (XML 1.0 section 2.3)."""
_SHOWN_MAX = 100


def split_tag(tag: str) -> tuple[str, str]:
    """Return namespace (empty if there is none) and local name of an element or attribute."""
    if tag[:1] == "{":
        namespace, _, local = tag[1:].partition("}")
        return namespace, local
    return "", tag


def standard_name(tag: str) -> str | None:
    """Return the name of an element of the standard, None for one of somebody else's.

    The schemas leave these elements without a namespace; some programs give them the standard's.
    """
    if tag[:1] != "{":
        return tag
    namespace, local = split_tag(tag)
    return local if namespace in STANDARD else None


def elements_of(parent: Element) -> list[Element]:
    """Return the child elements.

    Raises:
        InputError: ``xml_instruction_refused``, without a place: something else stands among them.
    """
    children = list(parent)
    for child in children:
        # comments are gone, and entities with the document types that declare them
        if not isinstance(child.tag, str):
            raise InputError("xml_instruction_refused", "A processing instruction stands here.")
    return children


def attributes_of(element: Element) -> dict[str, str]:
    """Return an element's attributes but for XML Schema's own (``xsi:type`` and the like), which say nothing new."""
    attributes = element.attrib
    if not attributes:
        return {}
    named = [(str(name), str(value)) for name, value in attributes.items()]
    return {name: value for name, value in named if not name.startswith(_XSI)}


def step_of(element: Element) -> str:
    """Return an element's own name as it stands in the document."""
    local = split_tag(str(element.tag))[1]
    return f"{element.prefix}:{local}" if element.prefix else local


def path_of(element: Element, until: Element | None = None) -> str:
    """Return the path to an element from the root, or from below ``until``; numbers count from 1, as in XPath."""
    steps: list[str] = []
    node: Element | None = element
    while node is not None and node is not until:
        same = 1 + sum(1 for _ in node.itersiblings(node.tag, preceding=True))
        more = same > 1 or next(node.itersiblings(node.tag), None) is not None
        steps.append(f"{step_of(node)}[{same}]" if more else step_of(node))
        node = node.getparent()
    return "".join(f"/{step[:_SHOWN_MAX]}" for step in reversed(steps))


def refuse(
    element: Element,
    code: str,
    message: str,
    *,
    top: Element | None = None,
    advice: str | None = None,
) -> InputError:
    """Return the error for an element, with its line, and its path below ``top``."""
    return at(InputError(code, message, advice=advice), element, top=top)


def at(
    error: InputError,
    element: Element,
    *,
    top: Element | None = None,
    attribute: str | None = None,
) -> InputError:
    """Give an error the line and path of an element, in place of the pointer it may have had."""
    line = element.sourceline
    error.pointer = path_of(element, top) + (f"/@{attribute[:_SHOWN_MAX]}" if attribute else "")
    if line is not None:
        error.context["line"] = line
        error.message = f"Line {line}: {error.message}"
        error.args = (error.message,)
    return error


def only_elements(parent: Element, *, top: Element | None = None) -> list[Element]:
    """Return the child elements of one that has no text.

    Raises:
        InputError: ``xml_text_misplaced``, ``xml_instruction_refused``; with line, and path below ``top``.
    """
    try:
        children = elements_of(parent)
        texts = [parent.text, *(child.tail for child in children)]
        if any(text is not None and text.strip(BLANKS) for text in texts):
            raise InputError("xml_text_misplaced", "Text stands where only elements do.")
    except InputError as error:
        raise at(error, parent, top=top) from None
    return children
