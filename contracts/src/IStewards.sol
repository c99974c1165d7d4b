// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title Those who admit and suspend the members, by recorded vote
/// @notice A motion is a call of one of the functions that take `lastBlock`. Each steward makes the same call;
///         each call is a vote; the one that brings the votes to 80 % of the stewards carries it out.
/// @dev The contract can't know whether stewards are different persons or listen to each other.
interface IStewards {
    event StewardAdded(address indexed steward);
    event StewardRemoved(address indexed steward);

    /// @notice `steward` voted for calling `selector` with `arguments` (a member's current record left out).
    /// @param motion keccak256(abi.encode(selector, lastBlock, arguments))
    event Voted(
        bytes32 indexed motion, address indexed steward, bytes4 indexed selector, uint64 lastBlock, bytes arguments
    );

    /// @notice The motion has its votes and was carried out, in this transaction.
    event Carried(bytes32 indexed motion, uint256 votes, uint256 stewards);

    error NotASteward(address caller);
    error AlreadyASteward(address steward);
    error LastSteward(address steward);
    error ZeroSteward();
    error TooManyStewards(uint256 given, uint256 max);
    error MotionLapsed(uint64 lastBlock, uint256 blockNumber);
    error AlreadyCarried(bytes32 motion);
    error AlreadyVoted(bytes32 motion, address steward);

    /// @notice Vote for another steward. Several motions of the same content differ in `lastBlock`.
    /// @param lastBlock the last block in which this motion may be voted for.
    function addSteward(address steward, uint64 lastBlock) external;

    /// @notice Vote for removing a steward; his votes on open motions no longer count.
    function removeSteward(address steward, uint64 lastBlock) external;

    /// @notice The stewards of now, in no particular order.
    function stewards() external view returns (address[] memory);

    /// @notice Votes of present stewards for a motion, and whether it was carried.
    function motionState(bytes32 motion) external view returns (uint256 votes, bool carried);
}
