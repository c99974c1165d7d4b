"""One target in this process, under libFuzzer; its options are handed on."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["sealtrail"]):
    from fuzz.targets import TARGETS

from sealtrail.errors import IntegrityError, SealtrailError


def main() -> None:
    """Run the target that the first argument names; does not return."""
    target = TARGETS[sys.argv.pop(1)]

    def one_input(data: bytes) -> None:
        try:
            target.read(data)
        except IntegrityError:
            raise  # an input is never our own store's fault
        except SealtrailError:
            pass

    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
