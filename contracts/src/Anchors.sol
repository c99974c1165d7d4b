// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IAnchors} from "./IAnchors.sol";
import {IRegistry} from "./IRegistry.sol";

/// @title The latest anchor of every member; the earlier ones stand in the events
contract Anchors is IAnchors {
    /// @param nextSequence 1 from admission on, so its slot is never written from zero by an anchor.
    struct Head {
        uint64 nextSequence;
        bytes32 checkpoint;
    }

    address public immutable registry;
    mapping(address member => Head) private _heads;

    /// @dev Deployed by the registry, in its constructor.
    constructor() {
        registry = msg.sender;
    }

    /// @inheritdoc IAnchors
    function open(address member) external {
        if (msg.sender != registry) revert NotTheRegistry(msg.sender);
        _heads[member].nextSequence = 1;
    }

    /// @inheritdoc IAnchors
    function anchor(uint64 sequence, bytes32 previous, bytes32 checkpoint) external {
        (address member, IRegistry.Status status) = IRegistry(registry).operatorOf(msg.sender);
        if (member == address(0)) revert NotAnOperator(msg.sender);
        if (checkpoint == 0) revert EmptyCheckpoint();
        Head storage head = _heads[member];
        if (sequence != head.nextSequence) revert WrongSequence(sequence, head.nextSequence);
        if (previous != head.checkpoint) revert WrongPrevious(previous, head.checkpoint);

        head.nextSequence = sequence + 1;
        head.checkpoint = checkpoint;

        emit Anchored(member, sequence, checkpoint, status == IRegistry.Status.Suspended);
    }

    /// @inheritdoc IAnchors
    function latest(address member) external view returns (uint64 sequence, bytes32 checkpoint) {
        Head storage head = _heads[member];
        sequence = head.nextSequence == 0 ? 0 : head.nextSequence - 1;
        checkpoint = head.checkpoint;
    }
}
