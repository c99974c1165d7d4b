// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IRegistry} from "./IRegistry.sol";
import {RecordRules} from "./RecordRules.sol";

/// @title The members' records, and what a member changes itself
abstract contract Members is IRegistry {
    /// @dev One slot, status included: all that an anchor needs. An address stays a member's for good, ended or not.
    struct Operator {
        address member;
        uint40 validFrom;
        uint40 validUntil;
        Status status;
    }

    /// @inheritdoc IRegistry
    mapping(address member => bytes32) public recordDigest;
    mapping(address operator => Operator) private _operators;

    /// @inheritdoc IRegistry
    function addKey(Member memory current, Purpose purpose, bytes32 publicKey, uint40 validFrom) external {
        _checkOwn(current);
        RecordRules.checkKeyCount(current.keys.length + 1);
        _addKey(current, Key(purpose, publicKey, _nowOrLater(validFrom), 0, 0, 0, false));
        _record(current);
    }

    /// @inheritdoc IRegistry
    function endKey(Member memory current, uint256 position, uint40 validUntil) external {
        _checkOwn(current);
        Key memory key = _keyAt(current, position);
        uint40 end = _nowOrLater(validUntil);
        if (key.validUntil != 0 && key.validUntil <= end) revert KeyAlreadyEnded(key.validUntil);
        _endKey(key, end);
        if (key.purpose == Purpose.Operator && !_hasOpenOperator(current)) revert LastOperatorKey(key.publicKey);
        _record(current);
    }

    /// @inheritdoc IRegistry
    function reportCompromised(Member memory current, uint256 position, uint40 since) external {
        _checkOwn(current);
        Key memory key = _keyAt(current, position);
        uint256 latest = key.compromisedSince == 0 ? block.number : key.compromisedSince - 1;
        if (since == 0 || since > latest) revert WrongCompromiseBlock(since, latest);
        key.compromisedSince = since;
        key.compromiseReported = uint40(block.number);
        _record(current);
    }

    /// @inheritdoc IRegistry
    function setNodeUrl(Member memory current, string calldata nodeUrl) external {
        _checkOwn(current);
        RecordRules.checkUrl(nodeUrl);
        current.nodeUrl = nodeUrl;
        _record(current);
    }

    /// @inheritdoc IRegistry
    function operatorOf(address operator) public view returns (address member, Status status) {
        Operator storage found = _operators[operator];
        bool begun = found.validFrom <= block.number;
        bool ended = found.validUntil != 0 && found.validUntil <= block.number;
        if (begun && !ended) {
            member = found.member;
            status = found.status;
        }
    }

    /// @dev The caller may change the record: the record is the current one, and he is an operator of that member.
    function _checkOwn(Member memory current) internal view {
        _checkCurrent(current);
        (address member,) = operatorOf(msg.sender);
        if (member != current.member) revert NotOperatorOf(msg.sender, current.member);
    }

    function _checkCurrent(Member memory current) internal view {
        bytes32 expected = recordDigest[current.member];
        if (expected == 0) revert UnknownMember(current.member);
        bytes32 given = keccak256(abi.encode(current));
        if (given != expected) revert StaleRecord(given, expected);
    }

    /// @dev Append a key to the record in memory, and begin it.
    function _addKey(Member memory record, Key memory key) internal {
        uint256 position = record.keys.length;
        Key[] memory keys = new Key[](position + 1);
        for (uint256 i = 0; i < position; i++) {
            keys[i] = record.keys[i];
        }
        keys[position] = key;
        record.keys = keys;
        _beginKey(record, position);
    }

    /// @dev Check a key that is new in the record; claim the address if it is an operator's.
    function _beginKey(Member memory record, uint256 position) internal {
        Key memory key = record.keys[position];
        RecordRules.checkKey(key.purpose, key.publicKey);
        for (uint256 i = 0; i < position; i++) {
            Key memory other = record.keys[i];
            if (other.publicKey == key.publicKey && other.purpose == key.purpose) revert KeyRepeated(key.publicKey);
        }
        if (key.purpose != Purpose.Operator) return;
        address operator = _addressOf(key);
        address holder = _operators[operator].member;
        if (holder != address(0)) revert OperatorTaken(operator, holder);
        _operators[operator] = Operator(record.member, key.validFrom, 0, record.status);
    }

    function _endKey(Key memory key, uint40 validUntil) internal {
        key.validUntil = validUntil;
        if (key.purpose == Purpose.Operator) _operators[_addressOf(key)].validUntil = validUntil;
    }

    function _setStatus(Member memory record, Status status) internal {
        record.status = status;
        for (uint256 i = 0; i < record.keys.length; i++) {
            if (record.keys[i].purpose == Purpose.Operator) _operators[_addressOf(record.keys[i])].status = status;
        }
    }

    /// @dev The last step of every change: next version, digest, event.
    function _record(Member memory record) internal {
        record.version++;
        bytes memory encoded = abi.encode(record);
        recordDigest[record.member] = keccak256(encoded);
        emit MemberRecorded(record.member, record.version, encoded);
    }

    function _addressOf(Key memory key) internal pure returns (address) {
        return address(uint160(uint256(key.publicKey)));
    }

    function _keyAt(Member memory record, uint256 position) private pure returns (Key memory) {
        if (position >= record.keys.length) revert NoSuchKey(position, record.keys.length);
        return record.keys[position];
    }

    function _hasOpenOperator(Member memory record) private pure returns (bool) {
        for (uint256 i = 0; i < record.keys.length; i++) {
            if (record.keys[i].purpose == Purpose.Operator && record.keys[i].validUntil == 0) return true;
        }
        return false;
    }

    /// @dev A past block means now, so that nobody changes what his keys were worth yesterday.
    function _nowOrLater(uint40 blockNumber) private view returns (uint40) {
        return blockNumber > block.number ? blockNumber : uint40(block.number);
    }
}
