"""The key files: there, readable by their owner only, for the right purpose, and of keys that the member registered.

They are not opened: that takes the passphrase, and is what ``sealtrail doctor`` does.
"""

from __future__ import annotations

from sealtrail.errors import SealtrailError
from sealtrail.services.fsck.check import Check
from sealtrail.services.fsck.faults import Findings, shown
from sealtrail.services.fsck.scope import KeyFile, Scope
from sealtrail.store.keystore import load_label

_TABLE = "key file"


def look(scope: Scope, first: int, last: int) -> Findings:
    """Read what each key file says in clear."""
    found = Findings()
    for file in scope.subject.key_files:
        _check(scope, found, file)
    return found


def _check(scope: Scope, found: Findings, file: KeyFile) -> None:
    key = {"path": str(file.path)}
    try:
        label = load_label(file.path)
    except SealtrailError as error:
        found.add(error.code, _TABLE, key, error.message)
        return
    if label.purpose is not file.purpose:
        message = f"holds a {label.purpose.name.lower()} key, expected: {file.purpose.name.lower()}"
        found.add("key_file_other_purpose", _TABLE, key, message)
        return
    view = scope.view
    if isinstance(view, SealtrailError):
        found.skip(CHECK.name, view.code, f"registered keys: {view.message}")
        return
    try:
        record = view.record(scope.member, None)
    except SealtrailError as error:  # the record is damaged: named with the chain's
        found.skip(CHECK.name, error.code, f"registered keys: {error.message}")
        return
    if record is not None and record.key(file.purpose, label.public) is None:
        message = f"{shown(label.public)} is no key that the registry has for this member"
        found.add("key_not_registered", _TABLE, key, message)


CHECK = Check(name="key files", tables=(_TABLE,), look=look)
