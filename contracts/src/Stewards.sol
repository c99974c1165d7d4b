// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IStewards} from "./IStewards.sol";

/// @title Stewards and their votes
abstract contract Stewards is IStewards {
    /// @notice Votes are counted over the list, so the list has a limit.
    uint256 public constant STEWARDS_MAX = 64;
    uint256 public constant VOTES_NEEDED_PERCENT = 80;

    mapping(address steward => bool) public isSteward;
    mapping(bytes32 motion => mapping(address steward => bool)) public hasVoted;
    mapping(bytes32 motion => bool) private _isCarried;
    address[] private _stewards;

    constructor(address[] memory first) {
        if (first.length == 0) revert ZeroSteward();
        for (uint256 i = 0; i < first.length; i++) {
            _addSteward(first[i]);
        }
    }

    /// @inheritdoc IStewards
    function addSteward(address steward, uint64 lastBlock) external {
        if (_vote(this.addSteward.selector, lastBlock, abi.encode(steward))) _addSteward(steward);
    }

    /// @inheritdoc IStewards
    function removeSteward(address steward, uint64 lastBlock) external {
        if (_vote(this.removeSteward.selector, lastBlock, abi.encode(steward))) _removeSteward(steward);
    }

    /// @inheritdoc IStewards
    function stewards() external view returns (address[] memory) {
        return _stewards;
    }

    /// @inheritdoc IStewards
    function motionState(bytes32 motion) external view returns (uint256 votes, bool carried) {
        return (_countVotes(motion), _isCarried[motion]);
    }

    /// @dev Record the caller's vote; true if the motion is thereby carried, and is to be carried out now.
    ///      What a member can change meanwhile (its current record) is no part of `arguments`:
    ///      otherwise it could void votes already cast.
    function _vote(bytes4 selector, uint64 lastBlock, bytes memory arguments) internal returns (bool) {
        if (!isSteward[msg.sender]) revert NotASteward(msg.sender);
        if (block.number > lastBlock) revert MotionLapsed(lastBlock, block.number);
        bytes32 motion = keccak256(abi.encode(selector, lastBlock, arguments));
        if (_isCarried[motion]) revert AlreadyCarried(motion);
        if (hasVoted[motion][msg.sender]) revert AlreadyVoted(motion, msg.sender);

        hasVoted[motion][msg.sender] = true;
        uint256 votes = _countVotes(motion);
        bool carried = votes * 100 >= _stewards.length * VOTES_NEEDED_PERCENT;
        if (carried) _isCarried[motion] = true;

        emit Voted(motion, msg.sender, selector, lastBlock, arguments);
        if (carried) emit Carried(motion, votes, _stewards.length);
        return carried;
    }

    /// @dev Counted anew over the present stewards: a removed one's vote must not count.
    function _countVotes(bytes32 motion) private view returns (uint256 votes) {
        for (uint256 i = 0; i < _stewards.length; i++) {
            if (hasVoted[motion][_stewards[i]]) votes++;
        }
    }

    function _addSteward(address steward) private {
        if (steward == address(0)) revert ZeroSteward();
        if (isSteward[steward]) revert AlreadyASteward(steward);
        if (_stewards.length == STEWARDS_MAX) revert TooManyStewards(_stewards.length + 1, STEWARDS_MAX);
        isSteward[steward] = true;
        _stewards.push(steward);
        emit StewardAdded(steward);
    }

    function _removeSteward(address steward) private {
        if (!isSteward[steward]) revert NotASteward(steward);
        uint256 last = _stewards.length - 1;
        if (last == 0) revert LastSteward(steward);
        isSteward[steward] = false;
        uint256 position = 0;
        while (_stewards[position] != steward) position++;
        _stewards[position] = _stewards[last];
        _stewards.pop();
        emit StewardRemoved(steward);
    }
}
