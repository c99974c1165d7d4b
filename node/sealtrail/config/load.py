"""TOML in, :class:`Config` out; every fault is named by file and setting."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from sealtrail.config.settings import (
    SECTIONS,
    Config,
    LegalHoldSettings,
    OtherWitnessSettings,
    RetentionPeriodSettings,
    TokenSettings,
)
from sealtrail.config.table import Setting, section_type, settings_of
from sealtrail.errors import InputError, NotFoundError

FILE_BYTES_MAX = 1024 * 1024
TABLES: Mapping[tuple[str, str], type[msgspec.Struct]] = {
    ("auth", "tokens"): TokenSettings,
    ("retention", "periods"): RetentionPeriodSettings,
    ("retention", "holds"): LegalHoldSettings,
    ("witnesses", "others"): OtherWitnessSettings,
}
"""Settings that are lists of tables, and what one of these tables holds."""


def load_config(path: Path) -> Config:
    """Read a configuration file.

    Raises:
        NotFoundError: ``config_missing``.
        InputError: as :func:`parse_config`, ``config_unreadable``, ``config_too_large``.
    """
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError as e:
        raise NotFoundError(
            "config_missing",
            f"no configuration file at {path}",
            pointer=str(path),
            advice="make one with `sealtrail init`, or name it with --config",
        ) from e
    except OSError as e:
        raise InputError("config_unreadable", f"{path}: {e.strerror}", pointer=str(path)) from e
    if len(data) > FILE_BYTES_MAX:
        raise InputError(
            "config_too_large", f"{path} has over {FILE_BYTES_MAX} bytes", pointer=str(path)
        )
    return parse_config(data, path)


def parse_config(data: bytes, path: Path) -> Config:
    """Parse the bytes of a configuration file.

    Args:
        path: named in errors; relative paths are resolved from its folder.

    Raises:
        InputError: ``config_not_toml``, ``config_unknown_section``, ``config_unknown_setting``,
            ``config_setting_missing``, ``config_wrong_type``, ``config_out_of_range``,
            ``config_duplicate_token``.
    """
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise InputError("config_not_toml", f"{path} is no TOML: {e}", pointer=str(path)) from e
    _refuse_unknown(document, SECTIONS, "config_unknown_section", path, "")
    values = {name: _section(name, document[name], path) for name in document}
    config = Config(**values, path=path.absolute())
    _refuse_repeated_tokens(config)
    return config


def _section(name: str, given: Any, path: Path) -> Any:
    if not isinstance(given, dict):
        raise _fault("config_wrong_type", path, name, "a section is a table, like `[chain]`")
    return _struct(section_type(name), given, path, name, (name,))


def _struct(
    struct: type[msgspec.Struct],
    given: dict[str, Any],
    path: Path,
    place: str,
    key: tuple[str, ...],
) -> Any:
    settings = settings_of(struct)
    _refuse_unknown(given, settings, "config_unknown_setting", path, place + ".")
    for setting in settings.values():
        if setting.default is msgspec.NODEFAULT and setting.name not in given:
            raise _fault(
                "config_setting_missing", path, f"{place}.{setting.name}", "it must be given"
            )
    return struct(
        **{n: _value(settings[n], v, path, f"{place}.{n}", (*key, n)) for n, v in given.items()}
    )


def _value(setting: Setting, value: Any, path: Path, place: str, key: tuple[str, ...]) -> Any:
    table = TABLES.get((key[0], key[-1])) if len(key) == 2 else None
    if table is not None and isinstance(value, list) and all(isinstance(v, dict) for v in value):
        value = [_struct(table, v, path, f"{place}[{i}]", (*key, "")) for i, v in enumerate(value)]
        return msgspec.convert(value, setting.bare)
    bare = _convert(setting.bare, value, "config_wrong_type", path, place)
    return _convert(setting.type, bare, "config_out_of_range", path, place)


def _convert(kind: Any, value: Any, code: str, path: Path, place: str) -> Any:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as e:
        raise _fault(code, path, place, str(e), value) from e


def _refuse_unknown(
    given: Iterable[str], known: Iterable[str], code: str, path: Path, prefix: str
) -> None:
    names = list(known)
    for name in given:
        if name not in names:
            near = difflib.get_close_matches(name, names, n=1)
            hint = (
                f"did you mean `{prefix}{near[0]}`?" if near else f"known here: {', '.join(names)}"
            )
            raise InputError(
                code,
                f"{path}: `{prefix}{name}` is not known",
                pointer=f"{prefix}{name}",
                advice=hint,
                file=str(path),
            )


def _refuse_repeated_tokens(config: Config) -> None:
    for what in ("name", "sha256"):
        values = [getattr(t, what) for t in config.auth.tokens]
        repeated = next((v for v in values if values.count(v) > 1), None)
        if repeated is not None:
            raise _fault(
                "config_duplicate_token",
                config.path,
                "auth.tokens",
                f"{what} {repeated} stands there twice",
            )


def _fault(code: str, path: Path, place: str, found: str, value: Any = None) -> InputError:
    # a token pasted where its hash belongs must not reach a screen or a log
    secret = value is None or place.endswith(".sha256")
    given = "" if secret else f" (given: {_short(value)})"
    return InputError(code, f"{path}: `{place}`: {found}{given}", pointer=place, file=str(path))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
