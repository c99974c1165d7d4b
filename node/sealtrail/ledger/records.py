"""The registry's byte forms, for those who speak to the chain; they are pure and live in membership."""

from sealtrail.membership.encoding import encode_record, parse_record, record_digest

__all__ = ["encode_record", "parse_record", "record_digest"]
