"""The settings as a table: what the reader checks against and what documentation is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import msgspec

from sealtrail.config.settings import SECTIONS, Config


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting; ``bare`` is its type without ranges, ``default`` NODEFAULT where one must be given."""

    name: str
    doc: str
    type: Any
    bare: Any
    default: Any


def section_type(section: str) -> type[msgspec.Struct]:
    """Return the class of a section's values."""
    return type(getattr(Config(), section))


def section_doc(section: str) -> str:
    """Return what a section is about, in a line."""
    return (section_type(section).__doc__ or "").strip()


def settings_of(struct: type[msgspec.Struct]) -> dict[str, Setting]:
    """Return the settings of a section (or of a table within one) by name, in their order."""
    ranged = get_type_hints(struct, include_extras=True)
    bare = get_type_hints(struct)
    return {
        f.name: Setting(
            name=f.name,
            doc=_description(ranged[f.name]),
            type=ranged[f.name],
            bare=bare[f.name],
            default=_default(f),
        )
        for f in msgspec.structs.fields(struct)
    }


def all_settings() -> Iterator[tuple[str, Setting]]:
    """Yield (section, setting) for every setting there is."""
    for section in SECTIONS:
        for setting in settings_of(section_type(section)).values():
            yield section, setting


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _description(annotation: Any) -> str:
    """Return the outermost description; a type alias inside may carry ranges, never one."""
    if get_origin(annotation) is not Annotated:
        return ""
    texts = [
        m.description
        for m in get_args(annotation)[1:]
        if isinstance(m, msgspec.Meta) and m.description
    ]
    return texts[-1] if texts else ""
