// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStewards} from "./IStewards.sol";

/// @title Members of a Sealtrail network
/// @notice One digest a member in storage; the records themselves stand in events, whole, at each change.
/// @dev A caller that changes a record gives the current one; the contract checks it against the digest.
///      The contract can't check that a name, GLN or numbering right is truly a member's: stewards vouch for that.
interface IRegistry is IStewards {
    enum Status { None, Active, Suspended }
    enum Purpose { None, Event, Operator, Log, Peer, Witness }

    /// @param publicKey 32-byte Ed25519 key, or an address in the low 20 bytes (event and operator keys).
    /// @param validFrom first block at which the key is its owner's to use.
    /// @param validUntil first block at which it no longer is; 0 while open.
    /// @param compromisedSince block since which its owner says that others may have it; 0 if never reported.
    /// @param compromiseReported block at which that was reported; 0 if never.
    /// @param recovered the stewards gave the member this operator key: what it signs is less than the member's word.
    struct Key {
        Purpose purpose;
        bytes32 publicKey;
        uint40 validFrom;
        uint40 validUntil;
        uint40 compromisedSince;
        uint40 compromiseReported;
        bool recovered;
    }

    /// @param digits decimal digits, from a company prefix to one GTIN.
    /// @param validFrom Unix seconds. @param validUntil Unix seconds, 0 while open.
    struct Right {
        string digits;
        uint64 validFrom;
        uint64 validUntil;
    }

    /// @dev The digest is keccak256(abi.encode(Member)).
    struct Member {
        address member;
        uint64 version;
        Status status;
        uint16 roles;
        string name;
        string nodeUrl;
        string[] glns;
        Right[] rights;
        Key[] keys;
    }

    /// @notice What the stewards vouch for, and may amend.
    struct Profile {
        uint16 roles;
        string name;
        string[] glns;
        Right[] rights;
    }

    /// @notice The network is named by its chain, this address and the hash of the chain's block 0.
    event NetworkFounded(bytes32 genesisHash, address anchors, uint40 recoveryDelay);

    /// @notice A member's record is now this one. Enough to rebuild every record at every block.
    event MemberRecorded(address indexed member, uint64 indexed version, bytes record);

    /// @notice From `dueBlock` on, `newOperator` may replace all operator keys of `member`, unless cancelled.
    event RecoveryAnnounced(address indexed member, address indexed newOperator, uint40 dueBlock);
    event RecoveryCancelled(address indexed member, address indexed newOperator, address indexed operator);
    event RecoveryCompleted(address indexed member, address indexed newOperator);

    error UnknownMember(address member);
    error AlreadyAMember(address member);
    error StaleRecord(bytes32 given, bytes32 expected);
    error NotOperatorOf(address caller, address member);
    error WrongStatus(Status found);
    error FirstKeyNotTheMembers(address member);
    error WrongConsent(address recovered, address member);
    error OperatorTaken(address operator, address member);
    error GlnTaken(string gln, address member);
    error NoSuchKey(uint256 position, uint256 length);
    error KeyRepeated(bytes32 publicKey);
    error KeyAlreadyEnded(uint40 validUntil);
    error LastOperatorKey(bytes32 publicKey);
    error WrongCompromiseBlock(uint40 since, uint256 latest);
    error ZeroOperator();
    error NoRecovery(address member);
    error NotTheNewOperator(address caller, address newOperator);
    error RecoveryNotDue(uint40 dueBlock, uint256 blockNumber);

    /// @notice Admit a member as it asked for; a steward's vote.
    /// @param record as requested: the contract sets version, status and the keys' blocks itself.
    ///        The first key is the operator key whose address is the member's.
    /// @param r @param s @param v that key's EIP-712 signature over `Consent(bytes32 recordDigest)`, of the record
    ///        as given: nobody is made a member unknowingly.
    function admit(Member memory record, bytes32 r, bytes32 s, uint8 v, uint64 lastBlock) external;

    /// @notice Replace what the stewards vouch for; a steward's vote.
    function amend(Member memory current, Profile calldata profile, uint64 lastBlock) external;

    /// @notice Suspend an active member; a steward's vote. It may still anchor, marked, and change its keys.
    function suspend(Member memory current, uint64 lastBlock) external;

    /// @notice Make a suspended member active again; a steward's vote.
    function reinstate(Member memory current, uint64 lastBlock) external;

    /// @notice Announce a new operator key for a member that lost its own; a steward's vote.
    function recoverKey(address member, address newOperator, uint64 lastBlock) external;

    /// @notice Refuse an announced recovery; by an operator key of the member.
    function cancelRecovery() external;

    /// @notice End the member's open operator keys and begin the new one, once due; called by the new key itself.
    function completeRecovery(Member memory current) external;

    /// @notice Add a key to the caller's member. @param validFrom a block; one that has passed means now.
    function addKey(Member memory current, Purpose purpose, bytes32 publicKey, uint40 validFrom) external;

    /// @notice End the key at `position` of the caller's member; an end that is still to come may be brought forward.
    /// @param validUntil a block; one that has passed means now.
    function endKey(Member memory current, uint256 position, uint40 validUntil) external;

    /// @notice Say that others may have had the key at `position` since block `since`. May be repeated with an earlier
    ///         block. It doesn't end the key.
    function reportCompromised(Member memory current, uint256 position, uint40 since) external;

    /// @notice Set where the node of the caller's member is reached.
    function setNodeUrl(Member memory current, string calldata nodeUrl) external;

    /// @notice The member whose operator key this is at the current block, and its status; zero if nobody's.
    function operatorOf(address operator) external view returns (address member, Status status);

    /// @notice keccak256(abi.encode(record)) of the member's current record; zero if never admitted.
    function recordDigest(address member) external view returns (bytes32);

    /// @notice The member that has this GLN now; zero if none.
    function memberOfGln(string calldata gln) external view returns (address);

    /// @notice The recovery that is under way for a member; zeros if none.
    function recoveryOf(address member) external view returns (address newOperator, uint40 dueBlock);

    /// @notice The EIP-712 domain of the network: of consents here, and of the entries in the members' logs.
    function domainSeparator() external view returns (bytes32);

    /// @notice The network's Anchors contract, fixed for good at deployment.
    function anchors() external view returns (address);

    /// @notice Blocks between a recovery's announcement and its completion.
    function recoveryDelay() external view returns (uint40);
}
