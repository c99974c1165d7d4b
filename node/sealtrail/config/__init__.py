"""What an operator decides about a node: one TOML file, read strictly into frozen values.

A setting that is unknown, of the wrong type or out of range is refused by name; nothing is guessed.
Secrets never stand in the file: keys are in keystores, tokens stand there as hashes.
"""

from sealtrail.config.load import load_config, parse_config
from sealtrail.config.settings import (
    AnchoringSettings,
    AuditSettings,
    AuditsSettings,
    AuthSettings,
    ChainSettings,
    Config,
    CustodySettings,
    Gs1Settings,
    HttpSettings,
    KeysSettings,
    LegalHoldSettings,
    LogSettings,
    NodeSettings,
    OtherWitnessSettings,
    PeersSettings,
    RetentionPeriodSettings,
    RetentionSettings,
    SubscriptionsSettings,
    TokenSettings,
    WitnessesSettings,
)

__all__ = [
    "AnchoringSettings",
    "AuditSettings",
    "AuditsSettings",
    "AuthSettings",
    "ChainSettings",
    "Config",
    "CustodySettings",
    "Gs1Settings",
    "HttpSettings",
    "KeysSettings",
    "LegalHoldSettings",
    "LogSettings",
    "NodeSettings",
    "OtherWitnessSettings",
    "PeersSettings",
    "RetentionPeriodSettings",
    "RetentionSettings",
    "SubscriptionsSettings",
    "TokenSettings",
    "WitnessesSettings",
    "load_config",
    "parse_config",
]
