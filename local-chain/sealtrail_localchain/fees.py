"""Gas limits and the base fee.

Blocks are filled to half their gas limit at most. Under EIP-1559 the base fee then never rises, and
since genesis sets it to 0, transactions with gas price 0 stay possible for ever; filled further, the
first busy block would lift it to 1 wei and it would never come back to 0.
"""

from __future__ import annotations

from sealtrail_localchain.values import Header

GAS_LIMIT = 30_000_000
ELASTICITY = 2
GAS_TARGET = GAS_LIMIT // ELASTICITY
GENESIS_BASE_FEE = 0
BASE_FEE_CHANGE_DENOMINATOR = 8


def next_base_fee(parent: Header) -> int:
    """Return the base fee of the block after ``parent``, in wei. Source: EIP-1559."""
    target = parent.gas_limit // ELASTICITY
    base, used = parent.base_fee, parent.gas_used
    if used == target:
        return base
    change = base * abs(used - target) // target // BASE_FEE_CHANGE_DENOMINATOR
    return base + max(change, 1) if used > target else base - change
