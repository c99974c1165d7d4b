// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Anchors} from "./Anchors.sol";
import {IAnchors} from "./IAnchors.sol";
import {IRegistry} from "./IRegistry.sol";
import {Members} from "./Members.sol";
import {RecordRules} from "./RecordRules.sol";
import {Stewards} from "./Stewards.sol";

/// @title The registry of a network: what the stewards decide about its members
contract Registry is Stewards, Members {
    bytes32 private constant DOMAIN_TYPE_HASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract,bytes32 salt)");
    bytes32 private constant CONSENT_TYPE_HASH = keccak256("Consent(bytes32 recordDigest)");

    struct Recovery {
        address newOperator;
        uint40 dueBlock;
    }

    address public immutable anchors;
    uint40 public immutable recoveryDelay;
    bytes32 public immutable domainSeparator;

    mapping(address member => Recovery) public recoveryOf;
    mapping(bytes32 glnHash => address) private _memberOfGln;

    /// @param genesisHash hash of this chain's block 0. @dev A contract can't look it up: readers compare it.
    /// @param delay blocks between a recovery's announcement and its completion.
    constructor(address[] memory stewards_, bytes32 genesisHash, uint40 delay) Stewards(stewards_) {
        anchors = address(new Anchors());
        recoveryDelay = delay;
        domainSeparator = keccak256(
            abi.encode(
                DOMAIN_TYPE_HASH, keccak256("Sealtrail"), keccak256("1"), block.chainid, address(this), genesisHash
            )
        );
        emit NetworkFounded(genesisHash, anchors, delay);
    }

    /// @inheritdoc IRegistry
    function admit(Member memory record, bytes32 r, bytes32 s, uint8 v, uint64 lastBlock) external {
        if (recordDigest[record.member] != 0) revert AlreadyAMember(record.member);
        bytes memory request = abi.encode(record);
        _checkConsent(record.member, keccak256(request), r, s, v);
        if (!_vote(this.admit.selector, lastBlock, request)) return;

        RecordRules.checkProfile(record.roles, record.name, record.glns, record.rights);
        RecordRules.checkUrl(record.nodeUrl);
        RecordRules.checkKeyCount(record.keys.length);
        record.version = 0;
        record.status = Status.Active;
        _claimGlns(record);
        _beginKeys(record);
        IAnchors(anchors).open(record.member);
        _record(record);
    }

    /// @inheritdoc IRegistry
    function amend(Member memory current, Profile calldata profile, uint64 lastBlock) external {
        _checkCurrent(current);
        if (!_vote(this.amend.selector, lastBlock, abi.encode(current.member, profile))) return;

        RecordRules.checkProfile(profile.roles, profile.name, profile.glns, profile.rights);
        _releaseGlns(current);
        (current.roles, current.name, current.glns, current.rights) =
            (profile.roles, profile.name, profile.glns, profile.rights);
        _claimGlns(current);
        _record(current);
    }

    /// @inheritdoc IRegistry
    function suspend(Member memory current, uint64 lastBlock) external {
        _checkCurrent(current);
        if (current.status != Status.Active) revert WrongStatus(current.status);
        if (!_vote(this.suspend.selector, lastBlock, abi.encode(current.member))) return;
        _setStatus(current, Status.Suspended);
        _record(current);
    }

    /// @inheritdoc IRegistry
    function reinstate(Member memory current, uint64 lastBlock) external {
        _checkCurrent(current);
        if (current.status != Status.Suspended) revert WrongStatus(current.status);
        if (!_vote(this.reinstate.selector, lastBlock, abi.encode(current.member))) return;
        _setStatus(current, Status.Active);
        _record(current);
    }

    /// @inheritdoc IRegistry
    function recoverKey(address member, address newOperator, uint64 lastBlock) external {
        if (recordDigest[member] == 0) revert UnknownMember(member);
        if (newOperator == address(0)) revert ZeroOperator();
        if (!_vote(this.recoverKey.selector, lastBlock, abi.encode(member, newOperator))) return;
        uint40 dueBlock = uint40(block.number) + recoveryDelay;
        recoveryOf[member] = Recovery(newOperator, dueBlock);
        emit RecoveryAnnounced(member, newOperator, dueBlock);
    }

    /// @inheritdoc IRegistry
    function cancelRecovery() external {
        (address member,) = operatorOf(msg.sender);
        address newOperator = recoveryOf[member].newOperator;
        if (newOperator == address(0)) revert NoRecovery(member);
        delete recoveryOf[member];
        emit RecoveryCancelled(member, newOperator, msg.sender);
    }

    /// @inheritdoc IRegistry
    function completeRecovery(Member memory current) external {
        _checkCurrent(current);
        Recovery memory recovery = recoveryOf[current.member];
        if (recovery.newOperator == address(0)) revert NoRecovery(current.member);
        if (recovery.newOperator != msg.sender) revert NotTheNewOperator(msg.sender, recovery.newOperator);
        if (block.number < recovery.dueBlock) revert RecoveryNotDue(recovery.dueBlock, block.number);
        uint40 now_ = uint40(block.number);

        delete recoveryOf[current.member];
        for (uint256 i = 0; i < current.keys.length; i++) {
            Key memory key = current.keys[i];
            bool open = key.validUntil == 0 || key.validUntil > now_;
            if (key.purpose == Purpose.Operator && open) _endKey(key, now_);
        }
        // no limit on the number of keys here: a thief could have filled the list
        _addKey(current, Key(Purpose.Operator, bytes32(uint256(uint160(msg.sender))), now_, 0, 0, 0, true));
        emit RecoveryCompleted(current.member, msg.sender);
        _record(current);
    }

    /// @inheritdoc IRegistry
    function memberOfGln(string calldata gln) external view returns (address) {
        return _memberOfGln[keccak256(bytes(gln))];
    }

    function _checkConsent(address member, bytes32 digest, bytes32 r, bytes32 s, uint8 v) private view {
        bytes32 structHash = keccak256(abi.encode(CONSENT_TYPE_HASH, digest));
        address signer = ecrecover(keccak256(abi.encodePacked(hex"1901", domainSeparator, structHash)), v, r, s);
        if (signer == address(0) || signer != member) revert WrongConsent(signer, member);
    }

    /// @dev Begin the requested keys in this block, whatever blocks the request named.
    function _beginKeys(Member memory record) private {
        Key[] memory keys = record.keys;
        bool first = keys.length > 0 && keys[0].purpose == Purpose.Operator && _addressOf(keys[0]) == record.member;
        if (!first) revert FirstKeyNotTheMembers(record.member);
        for (uint256 i = 0; i < keys.length; i++) {
            keys[i] = Key(keys[i].purpose, keys[i].publicKey, uint40(block.number), 0, 0, 0, false);
            _beginKey(record, i);
        }
    }

    function _releaseGlns(Member memory record) private {
        for (uint256 i = 0; i < record.glns.length; i++) {
            delete _memberOfGln[keccak256(bytes(record.glns[i]))];
        }
    }

    /// @dev A GLN has one member at a time: custody is derived from it.
    function _claimGlns(Member memory record) private {
        for (uint256 i = 0; i < record.glns.length; i++) {
            bytes32 glnHash = keccak256(bytes(record.glns[i]));
            address holder = _memberOfGln[glnHash];
            if (holder != address(0)) revert GlnTaken(record.glns[i], holder);
            _memberOfGln[glnHash] = record.member;
        }
    }
}
