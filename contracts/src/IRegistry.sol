// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Members of a Sealtrail network
/// @notice One digest a member in storage; the records themselves stand in events, whole, at each change.
/// @dev A caller that changes a record gives the current one; the contract checks it against the digest.
///      The contract can't check that a name, GLN or numbering right is truly a member's: stewards vouch for that.
interface IRegistry {
    enum Status { None, Active, Suspended }
    enum Purpose { None, Event, Operator, Log, Peer, Witness }

    /// @param publicKey 32-byte Ed25519 key, or an address in the low 20 bytes (event and operator keys).
    /// @param validFrom first block at which the key is its owner's to use.
    /// @param validUntil first block at which it no longer is; 0 while open.
    /// @param compromisedSince block since which its owner says that others may have it; 0 if never reported.
    /// @param compromiseReported block at which that was reported; 0 if never.
    struct Key {
        Purpose purpose;
        bytes32 publicKey;
        uint64 validFrom;
        uint64 validUntil;
        uint64 compromisedSince;
        uint64 compromiseReported;
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

    /// @notice A member's record is now this one. Enough to rebuild every record at every block.
    event MemberRecorded(address indexed member, uint64 indexed version, bytes record);

    // Remaining events, errors and functions: to be completed beside the contract.

    /// @notice The member whose operator key this is at the current block, and its status; zero if nobody's.
    function operatorOf(address operator) external view returns (address member, Status status);

    /// @notice keccak256(abi.encode(record)) of the member's current record; zero if never admitted.
    function recordDigest(address member) external view returns (bytes32);

    /// @notice The network's Anchors contract, fixed for good at deployment.
    function anchors() external view returns (address);
}
