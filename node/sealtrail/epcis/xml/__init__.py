"""EPCIS 2.0 and 1.x in XML, read into the form of the JSON binding; nothing is written here.

An event is read into its *JSON form* (docs/protocol.md section 2), which then goes the way of every event: so a value,
an event hash and items are the same whichever binding an event came in. Its content is what it was: exclusive C14N.
"""

from sealtrail.epcis.xml.content import XML_MEDIA_TYPE, XmlEvent, read_event_content
from sealtrail.epcis.xml.documents import XmlDocument, open_xml
from sealtrail.epcis.xml.locating import locate

__all__ = ["XML_MEDIA_TYPE", "XmlDocument", "XmlEvent", "locate", "open_xml", "read_event_content"]
