"""Every setting: name, type, range, default and one line of meaning.

The reader, the commented file that ``sealtrail init`` writes and ``docs/configuration.md`` come
from here.
Units stand last in the names. Paths are relative to the folder of the configuration file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

SCOPES = ("capture", "query", "subscribe", "provenance", "status", "log", "audit")

Scope = Literal["capture", "query", "subscribe", "provenance", "status", "log", "audit"]

# Actions for which a reason may be asked (`sealtrail.evidence.audit_record.Action` has them all)
ReasonedAction = Literal[
    "capture",
    "read_job",
    "query",
    "read_event",
    "read_entry",
    "provenance",
    "evidence",
    "read_log",
    "query_change",
    "subscription_change",
    "audit_read",
    "audit_export",
    "audit_who",
    "forget",
    "key_change",
    "member_change",
]

Address = Annotated[str, Meta(pattern=r"^(0x[0-9a-fA-F]{40})?$")]
Hash = Annotated[str, Meta(pattern=r"^(0x[0-9a-fA-F]{64})?$")]
HttpUrl = Annotated[str, Meta(pattern=r"^https?://[^\s/?#]+[^\s?#]*$", max_length=2000)]
OptionalUrl = Annotated[str, Meta(pattern=r"^(https?://[^\s/?#]+[^\s?#]*)?$", max_length=2000)]
# As a browser writes one (RFC 6454 section 6.2): in small letters, without a path, and without the scheme's own port
Origin = Annotated[
    str,
    Meta(
        pattern=r"^(?!http://.*:80$)(?!https://.*:443$)"
        r"https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?$",
        max_length=300,
    ),
]
OptionalDate = Annotated[str, Meta(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$")]
EntryId = Annotated[str, Meta(pattern=r"^0x[0-9a-f]{64}$")]
CompanyPrefix = Annotated[str, Meta(pattern=r"^([0-9]{6,12}|[0-9]{1,12}:([6-9]|1[0-2]))$")]
FilePath = Annotated[str, Meta(min_length=1, max_length=4096)]


def _doc(text: str) -> Meta:
    return Meta(description=text)


class NodeSettings(Struct, frozen=True, kw_only=True):
    """Who this node is."""

    name: Annotated[
        str,
        Meta(min_length=1, max_length=100),
        _doc("Name of this node in logs and on screens."),
    ] = "node"
    data_dir: Annotated[
        FilePath, _doc("Folder of the database and everything else that changes.")
    ] = "data"
    member: Annotated[
        Address,
        _doc("The member's address in the registry: its first operator key's. `init` fills it in."),
    ] = ""


class ChainSettings(Struct, frozen=True, kw_only=True):
    """The chain that the members share; what is pinned here is checked before anything is signed."""

    rpc_urls: Annotated[
        list[HttpUrl],
        Meta(max_length=8),
        _doc(
            "JSON-RPC endpoints of the chain; the others are asked when the first does not answer."
        ),
    ] = []
    chain_id: Annotated[
        int,
        Meta(ge=0, le=2**53 - 1),
        _doc("Chain id that every endpoint must report; 0: not yet known."),
    ] = 0
    genesis_hash: Annotated[
        Hash,
        _doc("Hash of block 0 that every endpoint must report: chain ids repeat, this does not."),
    ] = ""
    registry: Annotated[Address, _doc("Address of the network's Registry contract.")] = ""
    start_block: Annotated[
        int,
        Meta(ge=0),
        _doc("Block from which the contracts' events are read: at or before their deployment."),
    ] = 0
    finality: Annotated[
        str,
        Meta(pattern=r"^(instant|signers|finalized|depth [1-9][0-9]{0,3})$"),
        _doc(
            "When a block counts as final: `instant` (QBFT, embedded chain), `signers` (Clique: more"
            " than half have sealed on top), `depth N` (N blocks on top) or `finalized` (the tag)."
        ),
    ] = "instant"
    epoch_blocks: Annotated[
        int,
        Meta(ge=1, le=2**53 - 1),
        _doc(
            "Blocks after which the chain forgets votes on its validators: `epoch` in the genesis document"
            " (Clique), `epochLength` or `epochlength` (QBFT, IBFT 2.0)."
        ),
    ] = 30_000
    fees: Annotated[
        Literal["eip1559", "legacy", "free"],
        _doc("How transactions pay: `eip1559`, `legacy` (gas price) or `free` (gas price 0)."),
    ] = "eip1559"
    poll_seconds: Annotated[
        float, Meta(ge=0.1, le=3600), _doc("How often the chain is asked for new blocks.")
    ] = 1.0
    timeout_seconds: Annotated[
        float, Meta(ge=0.1, le=600), _doc("How long one call to an endpoint may take.")
    ] = 10.0


class AnchoringSettings(Struct, frozen=True, kw_only=True):
    """When checkpoints go to the chain."""

    beat_seconds: Annotated[
        float,
        Meta(ge=0.2, le=86400),
        _doc("Time from one anchor to the next; fixed, so that anchors say nothing of volume."),
    ] = 10.0
    delay_seconds_max: Annotated[
        int,
        Meta(ge=1, le=30 * 86400),
        _doc("The network's rule: a receipt promises that its entry is anchored within this time."),
    ] = 86400


class HttpSettings(Struct, frozen=True, kw_only=True):
    """The node's own HTTP interface, and its limits (advertised to clients)."""

    host: Annotated[
        str,
        Meta(min_length=1, max_length=255),
        _doc("Address to listen on; `0.0.0.0` for every interface."),
    ] = "127.0.0.1"
    port: Annotated[int, Meta(ge=1, le=65535), _doc("Port to listen on.")] = 8700
    public_url: Annotated[
        OptionalUrl,
        _doc("URL under which users and peers reach this node; empty: made of host and port."),
    ] = ""
    cors_origins: Annotated[
        list[Origin],
        Meta(max_length=100),
        _doc(
            "Origins whose web pages may use this node from a browser (CORS) and open WebSockets, such as"
            " `https://app.example.com`; each of their requests still needs a token."
        ),
    ] = []
    body_bytes_max: Annotated[int, Meta(ge=1024, le=2**31), _doc("Largest request body.")] = (
        16 * 1024 * 1024
    )
    events_per_document_max: Annotated[
        int, Meta(ge=1, le=1_000_000), _doc("Most events in one captured document.")
    ] = 10_000
    requests_max: Annotated[
        int, Meta(ge=1, le=100_000), _doc("Most requests in hand at once; further ones get 503.")
    ] = 512
    request_timeout_seconds: Annotated[
        float, Meta(ge=1, le=3600), _doc("How long a client may take to send one request.")
    ] = 60.0


class CaptureSettings(Struct, frozen=True, kw_only=True):
    """How documents become signed entries."""

    processes: Annotated[
        int,
        Meta(ge=0, le=64),
        _doc(
            "Processes that read and sign documents beside the node's own, some 40 MB each: the first"
            " takes small documents, and larger ones up to 512 KiB while the others are at work."
            " 0: none, the node does it itself, more slowly."
        ),
    ] = 2


class TokenSettings(Struct, frozen=True, kw_only=True):
    """One bearer token, as its hash: `sealtrail token new` makes both."""

    name: Annotated[
        str, Meta(min_length=1, max_length=100), _doc("Who or what uses the token; stands in logs.")
    ]
    sha256: Annotated[
        str,
        Meta(pattern=r"^[0-9a-f]{64}$"),
        _doc("SHA-256 of the token in hex. The token itself is never stored."),
    ]
    scopes: Annotated[
        list[Scope],
        Meta(min_length=1, max_length=len(SCOPES)),
        _doc(f"What it may do: any of {', '.join(f'`{s}`' for s in SCOPES)}."),
    ]


class StoreSettings(Struct, frozen=True, kw_only=True):
    """How the node looks after what it stored."""

    check_share: Annotated[
        float,
        Meta(ge=0, le=1),
        _doc(
            "How much of one core, at the lowest priority, the node may take to go through its whole store"
            " again and again, as `sealtrail fsck` does; 0: it does not."
        ),
    ] = 0.1
    check_rest_seconds: Annotated[
        float, Meta(ge=1, le=604_800), _doc("Pause between two such rounds.")
    ] = 600.0


class AuthSettings(Struct, frozen=True, kw_only=True):
    """Who may use this node: nobody, unless named here."""

    tokens: Annotated[
        list[TokenSettings],
        Meta(max_length=1000),
        _doc("Bearer tokens, one `[[auth.tokens]]` table each."),
    ] = []


class PeersSettings(Struct, frozen=True, kw_only=True):
    """Other members' nodes."""

    disclosure: Annotated[
        Literal["default", "all"],
        _doc(
            "What a shipment's receiver is given of its history: `default` (commissioning and one's"
            " own handover) or `all`."
        ),
    ] = "default"
    timeout_seconds: Annotated[
        float, Meta(ge=0.1, le=600), _doc("How long one call to a peer may take.")
    ] = 15.0
    retry_seconds_max: Annotated[
        float,
        Meta(ge=1, le=86400),
        _doc("Longest pause between two attempts to deliver to a peer."),
    ] = 300.0
    plain_http: Annotated[
        bool,
        _doc(
            "Deliver to `http` URLs too: only on a private network, where whoever reads along may"
            " read what is shipped. (Nodes of one machine, each with a loopback URL, always may.)"
        ),
    ] = False


class OtherWitnessSettings(Struct, frozen=True, kw_only=True):
    """A witness that is no member: anything that speaks C2SP tlog-witness and knows this log."""

    url: Annotated[
        HttpUrl,
        _doc("Its submission prefix: `add-checkpoint` stands below it."),
    ]
    verifier_key: Annotated[
        str,
        Meta(pattern=r"^[^\s+]{1,200}\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}$"),
        _doc(
            "Its name and public key, as witnesses publish them: `NAME+HASH+BASE64` (C2SP signed-note)."
        ),
    ]


class WitnessesSettings(Struct, frozen=True, kw_only=True):
    """Who is asked to cosign this log's checkpoints. Nothing waits for them."""

    ask: Annotated[
        Literal["all", "listed", "none"],
        _doc(
            "Which members' nodes: `all` active ones that have a witness key, those `listed` under"
            " `members`, or `none`."
        ),
    ] = "all"
    members: Annotated[
        list[Address],
        Meta(max_length=24),
        _doc("Addresses of the members that are asked, where `ask` is `listed`."),
    ] = []
    others: Annotated[
        list[OtherWitnessSettings],
        Meta(max_length=24),
        _doc("Witnesses outside the network, one `[[witnesses.others]]` table each."),
    ] = []


class AuditsSettings(Struct, frozen=True, kw_only=True):
    """Audits of other members' item indexes; by nodes of auditors and regulators only."""

    logs: Annotated[
        Literal["all", "listed", "none"],
        _doc(
            "Whose logs are read and their item indexes recomputed: `all` active members', those `listed`"
            " under `members`, or `none`."
        ),
    ] = "all"
    members: Annotated[
        list[Address],
        Meta(max_length=1000),
        _doc("Addresses of the members whose logs are audited, where `logs` is `listed`."),
    ] = []
    beat_seconds: Annotated[
        float, Meta(ge=1, le=604800), _doc("Pause between two audits of a log.")
    ] = 3600.0
    postings_max: Annotated[
        int,
        Meta(ge=10_000, le=10_000_000_000),
        _doc(
            "The largest log that is audited, in items named by its entries; each takes some 50 bytes of disk."
        ),
    ] = 100_000_000


class SubscriptionsSettings(Struct, frozen=True, kw_only=True):
    """Who may be sent events as they are recorded, by webhook or WebSocket."""

    public: Annotated[
        bool,
        _doc(
            "Webhooks may go to any address of the public internet; false: to what `allow` names only."
        ),
    ] = True
    allow: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=253)]],
        Meta(max_length=1000),
        _doc(
            "Networks, addresses and host names (`*.example.com`: all in a domain) to which webhooks may go, private"
            " ones too. Who names a host trusts its DNS. Nothing else that is private is ever called."
        ),
    ] = []
    plain_http: Annotated[
        bool, _doc("Webhooks may go to `http` URLs as well; what is sent can be read on its way.")
    ] = False
    ports: Annotated[
        list[Annotated[int, Meta(ge=1, le=65535)]],
        Meta(max_length=100),
        _doc("Ports to which webhooks may go; empty: any."),
    ] = []
    timeout_seconds: Annotated[
        float, Meta(ge=0.1, le=600), _doc("How long a consumer may take to answer.")
    ] = 10.0
    retry_seconds_max: Annotated[
        float, Meta(ge=0.1, le=86400), _doc("Longest pause between two tries to reach a consumer.")
    ] = 300.0
    suspend_hours: Annotated[
        float,
        Meta(gt=0, le=8760),
        _doc(
            "A subscription whose consumer takes nothing for so long is suspended until it is resumed;"
            " it keeps its place."
        ),
    ] = 72.0
    batch_events_max: Annotated[
        int, Meta(ge=1, le=1000), _doc("Events that are sent in one document at most.")
    ] = 500
    webhooks_max: Annotated[
        int, Meta(ge=1, le=1000), _doc("Subscriptions that there may be at a time.")
    ] = 100
    websockets_max: Annotated[
        int, Meta(ge=1, le=1000), _doc("WebSockets that may be open at a time.")
    ] = 50


class CustodySettings(Struct, frozen=True, kw_only=True):
    """Times after which silence becomes a finding."""

    transit_limit_hours: Annotated[
        float,
        Meta(ge=0, le=8760),
        _doc("Shipped this long ago and not received: a finding for both sides."),
    ] = 240.0


class Gs1Settings(Struct, frozen=True, kw_only=True):
    """GS1 identifiers."""

    company_prefixes: Annotated[
        list[CompanyPrefix],
        Meta(max_length=100_000),
        _doc(
            "Company prefixes of 6 to 12 digits beside those in members' numbering rights: where one ends, Digital"
            " Links can be given as EPC URNs. `DIGITS:LENGTH` stands for all prefixes of that length that begin so."
        ),
    ] = []


class AuditSettings(Struct, frozen=True, kw_only=True):
    """The audit trail: who read or wrote what, when and why."""

    digest_seconds: Annotated[
        float,
        Meta(ge=1, le=86400),
        _doc(
            "Time from one digest of the trail in the log to the next; fixed, so that digests say nothing of volume."
        ),
    ] = 3600.0
    reason_required_for: Annotated[
        list[ReasonedAction],
        Meta(max_length=100),
        _doc(
            "Actions that are refused without a reason (header `Sealtrail-Reason`, or `--reason`):"
            " `capture`, `read_job`, `query`, `read_event`, `read_entry`, `provenance`, `evidence`,"
            " `read_log`, `audit_read`,"
            " `audit_export`, `audit_who`, `forget`, `key_change`, `member_change`."
        ),
    ] = []
    keep_refused_bytes: Annotated[
        int,
        Meta(ge=0, le=16 * 1024 * 1024),
        _doc(
            "Refused input of up to so many bytes is kept whole; 0: only its hash, size and fault are."
        ),
    ] = 0
    kept_bytes_max: Annotated[
        int,
        Meta(ge=0, le=2**40),
        _doc(
            "Bytes of refused input that are kept altogether; what is over is not kept, and said so."
        ),
    ] = 256 * 1024 * 1024


class RetentionPeriodSettings(Struct, frozen=True, kw_only=True):
    """One time for which the law of a jurisdiction has records kept."""

    jurisdiction: Annotated[
        str, Meta(min_length=1, max_length=100), _doc("Whose law, such as `EU` or `US`.")
    ]
    years: Annotated[
        int, Meta(ge=1, le=100), _doc("Full years from an entry's record time; the longest counts.")
    ]
    basis: Annotated[
        str, Meta(min_length=1, max_length=500), _doc("The law itself; stands in refusals.")
    ]


class LegalHoldSettings(Struct, frozen=True, kw_only=True):
    """Entries that nobody may erase until the hold is taken out of the configuration.

    A hold that names neither entries nor items is on all; times narrow any of them.
    """

    reason: Annotated[str, Meta(min_length=1, max_length=500), _doc("Why; stands in refusals.")]
    entries: Annotated[list[EntryId], Meta(max_length=10_000), _doc("Entry ids, `0x` hex.")] = []
    items: Annotated[
        list[Annotated[str, Meta(min_length=1, max_length=2048)]],
        Meta(max_length=10_000),
        _doc("Items whose events are held: EPC URN, Digital Link or element string."),
    ] = []
    since: Annotated[
        OptionalDate, _doc("First day (UTC) of the record times that are held, YYYY-MM-DD.")
    ] = ""
    until: Annotated[OptionalDate, _doc("Last day; empty: those to come as well.")] = ""


class RetentionSettings(Struct, frozen=True, kw_only=True):
    """What stands against erasing events (`sealtrail erase`). Nothing is ever erased by itself."""

    periods: Annotated[
        list[RetentionPeriodSettings],
        Meta(max_length=100),
        _doc(
            "Times within which only a recorded order erases, one `[[retention.periods]]` table each."
        ),
    ] = []
    holds: Annotated[
        list[LegalHoldSettings],
        Meta(max_length=1000),
        _doc("Legal holds, against which no order helps, one `[[retention.holds]]` table each."),
    ] = []


class KeysSettings(Struct, frozen=True, kw_only=True):
    """Where this member's keys are, and where their passphrase comes from."""

    event: Annotated[
        FilePath, _doc("Key that signs entries (secp256k1, Web3 Secret Storage 3).")
    ] = "keys/event.json"
    operator: Annotated[
        FilePath, _doc("Key that pays for and sends anchors (secp256k1, Web3 Secret Storage 3).")
    ] = "keys/operator.json"
    log: Annotated[FilePath, _doc("Key that signs checkpoints (Ed25519, same form).")] = (
        "keys/log.json"
    )
    peer: Annotated[
        FilePath, _doc("Key that signs requests to other nodes (Ed25519, same form).")
    ] = "keys/peer.json"
    witness: Annotated[
        FilePath,
        _doc(
            "Key that cosigns other members' checkpoints (Ed25519, same form). Without the file this node"
            " is no witness."
        ),
    ] = "keys/witness.json"
    passphrase_file: Annotated[
        str,
        Meta(max_length=4096),
        _doc(
            "File that holds the passphrase (mode 0600); empty: the variable below, else a prompt."
        ),
    ] = ""
    passphrase_env: Annotated[
        str,
        Meta(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$"),
        _doc("Environment variable that holds the passphrase, where no file is named."),
    ] = "SEALTRAIL_PASSPHRASE"  # noqa: S105 - a variable's name
    devnet_plaintext: Annotated[
        bool,
        _doc(
            "Accept unencrypted keys. On a devnet only: who reads the files can sign as this member."
        ),
    ] = False


class LogSettings(Struct, frozen=True, kw_only=True):
    """What the node says about itself, on standard error."""

    level: Annotated[
        Literal["debug", "info", "warning", "error"], _doc("Least severe level that is written.")
    ] = "info"
    format: Annotated[
        Literal["plain", "json"], _doc("`plain` for people, `json` (a line each) for machines.")
    ] = "plain"


class Config(Struct, frozen=True, kw_only=True):
    """A whole configuration; ``path`` is the file it came from, and paths are relative to it."""

    node: NodeSettings = NodeSettings()
    chain: ChainSettings = ChainSettings()
    anchoring: AnchoringSettings = AnchoringSettings()
    http: HttpSettings = HttpSettings()
    capture: CaptureSettings = CaptureSettings()
    store: StoreSettings = StoreSettings()
    auth: AuthSettings = AuthSettings()
    peers: PeersSettings = PeersSettings()
    witnesses: WitnessesSettings = WitnessesSettings()
    audits: AuditsSettings = AuditsSettings()
    subscriptions: SubscriptionsSettings = SubscriptionsSettings()
    custody: CustodySettings = CustodySettings()
    gs1: Gs1Settings = Gs1Settings()
    audit: AuditSettings = AuditSettings()
    retention: RetentionSettings = RetentionSettings()
    keys: KeysSettings = KeysSettings()
    log: LogSettings = LogSettings()
    path: Path = Path("sealtrail.toml")

    def resolve(self, path: str) -> Path:
        """Return a path of this configuration, made absolute."""
        return (self.path.parent / path).absolute()

    @property
    def data_dir(self) -> Path:
        """Folder of the database."""
        return self.resolve(self.node.data_dir)

    @property
    def database(self) -> Path:
        """File of the database."""
        return self.data_dir / "sealtrail.db"

    @property
    def operator_notes(self) -> Path:
        """Folder in which commands leave notes for the audit trail."""
        return self.data_dir / "operator-notes"

    @property
    def index_folder(self) -> Path:
        """Folder of the item index's runs: derived from the database, and made again if it is not there."""
        return self.data_dir / "index"

    @property
    def audits_folder(self) -> Path:
        """Folder of what was read of others' logs for audits: derived, and read again if it is not there."""
        return self.data_dir / "audits"

    @property
    def store_check_file(self) -> Path:
        """File in which the store's continuous check keeps where it is."""
        return self.data_dir / "store-check.json"

    @property
    def public_url(self) -> str:
        """URL under which users reach this node."""
        host = "127.0.0.1" if self.http.host in ("0.0.0.0", "::") else self.http.host  # noqa: S104 - compared, not bound
        host = f"[{host}]" if ":" in host else host  # RFC 3986 section 3.2.2
        return (self.http.public_url or f"http://{host}:{self.http.port}").rstrip("/")

    @property
    def member(self) -> bytes:
        """The member's address, 20 bytes."""
        return bytes.fromhex(self.node.member.removeprefix("0x"))


SECTIONS: tuple[str, ...] = tuple(
    f.name for f in msgspec.structs.fields(Config) if f.name != "path"
)
