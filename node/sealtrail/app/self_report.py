"""What a node says about itself: status, readiness and metrics, from its services."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from sealtrail import __version__
from sealtrail.app.network_check import unfit_keys
from sealtrail.app.subscriptions import Subscribing
from sealtrail.app.witnesses import Witnesses
from sealtrail.config import Config
from sealtrail.errors import SealtrailError
from sealtrail.log.checkpoint import verifier_key
from sealtrail.membership.records import Purpose
from sealtrail.services.audit_trail.beat import AuditBeat
from sealtrail.services.chain.follower import Follower
from sealtrail.services.chain.validators import ValidatorFollower
from sealtrail.services.exchange.consignments import Outgoing
from sealtrail.services.fsck.continuous import ContinuousCheck
from sealtrail.services.own_log.anchoring import Anchoring
from sealtrail.services.recording.capture import CaptureService
from sealtrail.services.store_check import StoreCheck
from sealtrail.store.cosignatures import all_witnessed
from sealtrail.store.database import Database
from sealtrail.store.log import LogStore


class SelfReport(msgspec.Struct, frozen=True, kw_only=True):
    """Reads the services; changes nothing."""

    config: Config
    origin: str
    public_keys: Mapping[Purpose, bytes]
    log: LogStore
    database: Database
    follower: Follower
    validators: ValidatorFollower
    anchoring: Anchoring
    capture: CaptureService
    outgoing: Outgoing
    store_check: StoreCheck
    audit: AuditBeat
    continuous: ContinuousCheck
    witnesses: Witnesses
    subscribing: Subscribing

    async def status(self) -> Mapping[str, Any]:
        """Return the members of ``/v1/status``."""
        chain = self.config.chain
        return {
            "name": self.config.node.name,
            "version": __version__,
            "member": self.config.node.member.lower(),
            "origin": self.origin,
            "url": self.config.public_url,
            "log": {
                "tree_size": self.log.head().size,
                "verifier_key": verifier_key(self.origin, self.public_keys[Purpose.LOG]),
            },
            "keys": {
                **{p.name.lower(): "0x" + k.hex() for p, k in self.public_keys.items()},
                "faults": await self._unfit_keys(),
            },
            "store": self._store(),
            "audit": msgspec.to_builtins(await self.audit.status()),
            "anchoring": msgspec.to_builtins(await self.anchoring.status()),
            "chain": {
                "chain_id": chain.chain_id,
                "genesis_hash": chain.genesis_hash,
                "registry": chain.registry,
                "finality": chain.finality,
                "fees": chain.fees,
                **self._checked(),
                "validators": self._validators(),
            },
            "deliveries": [
                {**msgspec.structs.asdict(b), "recipient": "0x" + b.recipient.hex()}
                for b in await self.outgoing.backlog()
            ],
            "witnesses": msgspec.to_builtins(await self.witnesses.cosigning.status()),
            "witnessing": await self._witnessing(),
            "index_audits": msgspec.to_builtins(await self.witnesses.auditing.status()),
            "log_findings": self.witnesses.watch.counts,
            "subscriptions": {
                **msgspec.structs.asdict(self.subscribing.delivery.states),
                "websockets": self.subscribing.feeds.open,
            },
        }

    async def readiness(self) -> Sequence[str]:
        """Return why the node can't do its work. A chain that is away is no reason: capture goes on."""
        damaged = self.store_check.state.damaged
        reasons = (
            [f"the store is damaged at {len(damaged)} events; see /v1/status"] if damaged else []
        )
        if not damaged and self.continuous.state.changes_answers:
            reasons = ["the store is damaged where answers rest on it; see /v1/status"]
        return reasons + await self._unfit_keys()

    def metrics(self) -> Mapping[str, float]:
        """Return values by Prometheus name."""
        counts, checked = self.capture.statistics, self.follower.checked
        deliveries = self.outgoing.counts
        sent, states = self.subscribing.delivery.counts, self.subscribing.delivery.states
        continuous = self.continuous.state
        return {
            "sealtrail_captured_documents_total": counts.documents,
            "sealtrail_captured_events_total": counts.events,
            "sealtrail_captured_duplicates_total": counts.duplicates,
            "sealtrail_refused_events_total": counts.refused,
            "sealtrail_log_tree_size": self.log.head().size,
            "sealtrail_chain_head_block": checked.head.number if checked else 0,
            "sealtrail_chain_final_block": checked.final.number if checked else 0,
            "sealtrail_chain_reachable": float(self.follower.failure is None),
            "sealtrail_validators": len(self.validators.progress.members),
            "sealtrail_validators_followed_block": self.validators.progress.block or 0,
            "sealtrail_validators_contradicted": float(
                self.validators.progress.state == "validators_contradicted"
            ),
            "sealtrail_store_check_rounds_total": continuous.rounds,
            "sealtrail_store_check_progress": continuous.looks_done / max(1, continuous.looks),
            "sealtrail_store_check_faults": len(continuous.faults),
            "sealtrail_deliveries_waiting": deliveries.waiting,
            "sealtrail_deliveries_acknowledged_total": deliveries.delivered,
            "sealtrail_delivery_failures_total": deliveries.failed_attempts,
            "sealtrail_subscriptions_active": states.active,
            "sealtrail_subscriptions_failing": states.failing,
            "sealtrail_subscriptions_suspended": states.suspended,
            "sealtrail_subscriptions_lag_events_max": states.lag_events_max,
            "sealtrail_subscription_batches_total": sent.batches,
            "sealtrail_subscription_events_total": sent.events,
            "sealtrail_subscription_failures_total": sent.failures,
            "sealtrail_websockets_open": self.subscribing.feeds.open,
            "sealtrail_cosignatures_received_total": self.witnesses.cosigning.received,
            "sealtrail_cosignature_failures_total": self.witnesses.cosigning.failed,
            "sealtrail_witnesses_failing": self.witnesses.cosigning.failing,
            "sealtrail_cosignatures_given_total": self.witnesses.witnessing.cosigned,
            "sealtrail_index_audits_total": self.witnesses.auditing.audited,
            "sealtrail_index_audit_failures_total": self.witnesses.auditing.failed,
            "sealtrail_index_audits_failing": self.witnesses.auditing.failing,
            "sealtrail_index_audits_received_total": self.witnesses.audits_taken.taken,
            "sealtrail_log_findings": sum(self.witnesses.watch.counts.values()),
        }

    async def _witnessing(self) -> dict[str, Any]:
        """Return this node's verifier key as a witness, and how far it cosigned which logs."""
        witness = self.witnesses.witnessing.witness
        logs = await self.database.read(all_witnessed)
        return {
            "verifier_key": witness and witness.verifier_key,
            "logs": [
                {"member": "0x" + each.member.hex(), "tree_size": each.head.size} for each in logs
            ],
        }

    async def _unfit_keys(self) -> list[str]:
        return await self.database.read(
            lambda c: unfit_keys(c, self.config.member, self.public_keys)
        )

    def _store(self) -> dict[str, Any]:
        state = msgspec.structs.asdict(self.store_check.state)
        state["continuous"] = msgspec.to_builtins(self.continuous.state)
        return {**state, "damaged": ["0x" + entry_id.hex() for entry_id in state["damaged"]]}

    def _checked(self) -> dict[str, Any]:
        checked, failure = self.follower.checked, self.follower.failure
        return {
            "head_block": checked.head.number if checked else None,
            "final_block": checked.final.number if checked else None,
            "checked_ms": checked.checked_ms if checked else None,
            "failure": _told(failure),
        }

    def _validators(self) -> dict[str, Any]:
        progress = self.validators.progress
        return {
            "state": progress.state,
            "form": progress.form.name if progress.form else None,
            "block": progress.block,
            "members": ["0x" + m.hex() for m in progress.members],
            "failure": _told(progress.failure),
        }


def _told(failure: SealtrailError | None) -> dict[str, str] | None:
    return {"code": failure.code, "message": failure.message} if failure else None
