// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Checkpoints of the members' logs, each once and in order
/// @dev The contract can't see whether the tree behind a hash only grew: witnesses and verifiers check that.
interface IAnchors {
    /// @notice `checkpoint` (SHA-256 of the checkpoint's note text) is `member`'s anchor number `sequence`.
    /// @param suspended the stewards had suspended the member when it anchored this.
    event Anchored(address indexed member, uint64 indexed sequence, bytes32 checkpoint, bool suspended);

    error NotAnOperator(address caller);
    error WrongSequence(uint64 given, uint64 expected);
    error WrongPrevious(bytes32 given, bytes32 expected);
    error EmptyCheckpoint();
    error NotTheRegistry(address caller);

    /// @notice Anchor the next checkpoint. The first has sequence 1 and previous 0.
    function anchor(uint64 sequence, bytes32 previous, bytes32 checkpoint) external;

    /// @notice Called by the registry once, when it admits a member; so that the first anchor pays no more for it.
    function open(address member) external;

    /// @notice The member's latest anchor; 0 and 0 if there is none.
    function latest(address member) external view returns (uint64 sequence, bytes32 checkpoint);

    /// @notice The registry that says who is an operator.
    function registry() external view returns (address);
}
