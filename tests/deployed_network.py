"""A network with real contracts on a chain that runs: deployed, with members admitted, over JSON-RPC."""

from __future__ import annotations

from dataclasses import dataclass

from sealtrail.cli.member_admission import admit_member
from sealtrail.cli.network import Founded, deploy_network
from sealtrail.ledger.chain import ChainLedger, Contracts
from sealtrail.ledger.envelope import OperatorKey
from sealtrail.ledger.fees import FeeMode
from sealtrail.ledger.finality import FinalityRule
from sealtrail.ledger.rpc import ChainIdentity, Rpc
from sealtrail.ledger.transactions import send_and_wait
from sealtrail.membership.records import Purpose, Role
from sealtrail.membership.requests import request_record, sign_consent
from sealtrail.signing import Domain, EventSigner


@dataclass(frozen=True)
class DeployedNetwork:
    """Where a network's contracts are, and who may change it."""

    rpc_urls: tuple[str, ...]
    identity: ChainIdentity
    founded: Founded
    steward: OperatorKey
    fees: FeeMode

    @property
    def contracts(self) -> Contracts:
        return Contracts(registry=self.founded.registry, anchors=self.founded.anchors)

    def rpc(self) -> Rpc:
        return Rpc(self.rpc_urls, expected=self.identity, timeout_seconds=10)

    def ledger(
        self, operator: OperatorKey | None, finality: FinalityRule | None = None
    ) -> ChainLedger:
        return ChainLedger(
            self.rpc(),
            contracts=self.contracts,
            finality=finality or FinalityRule("instant"),
            fees=self.fees,
            chain_id=self.identity.chain_id,
            operator=operator,
        )

    async def admit(
        self, private_key: bytes, name: str = "member", *, fund: bool = True
    ) -> OperatorKey:
        """Make a member whose operator key is this; it gets coins to pay with if it needs any."""
        signer = EventSigner(private_key)
        domain = Domain(
            chain_id=self.identity.chain_id,
            registry=self.founded.registry,
            genesis_hash=self.identity.genesis_hash,
        )
        record = request_record(
            signer.address,
            name=name,
            roles=Role.CARRIER,
            keys=[(Purpose.EVENT, signer.address), (Purpose.LOG, b"\x01" * 32)],
        )
        rpc = self.rpc()
        try:
            if fund and self.fees is not FeeMode.FREE:
                await send_and_wait(
                    rpc,
                    key=self.steward,
                    to=signer.address,
                    payload=b"",
                    value=10**18,
                    fees=self.fees,
                )
            await admit_member(
                rpc,
                self.steward,
                record,
                self.founded.registry,
                sign_consent(record, domain, signer),
                fees=self.fees,
            )
        finally:
            await rpc.close()
        return OperatorKey(private_key)


async def deploy(
    rpc_urls: tuple[str, ...], steward: OperatorKey, fees: FeeMode = FeeMode.EIP1559
) -> DeployedNetwork:
    """Deploy the contracts, with one steward."""
    rpc = Rpc(rpc_urls)
    try:
        identity = await rpc.identity()
        founded = await deploy_network(rpc, steward, stewards=[steward.address], fees=fees)
    finally:
        await rpc.close()
    return DeployedNetwork(rpc_urls, identity, founded, steward, fees)
