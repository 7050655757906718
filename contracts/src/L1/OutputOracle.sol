// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IOutputOracle} from "../interfaces/IOutputOracle.sol";

/// @title OutputOracle
/// @notice Records the sequencer's claims about L2, for verifiers to compare with what they derive. Nothing is paid out
/// on these claims: withdrawals rest on dispute games, which replace this contract.
contract OutputOracle is IOutputOracle {
    /// @inheritdoc IOutputOracle
    uint256 public immutable submissionInterval;

    /// @inheritdoc IOutputOracle
    uint256 public immutable l2BlockTime;

    /// @inheritdoc IOutputOracle
    uint256 public immutable startingBlockNumber;

    /// @inheritdoc IOutputOracle
    uint256 public immutable startingTimestamp;

    /// @inheritdoc IOutputOracle
    address public immutable proposer;

    OutputProposal[] internal _outputs;

    /// @param submissionInterval_ L2 blocks between two outputs.
    /// @param l2BlockTime_ Seconds between two L2 blocks.
    /// @param startingBlockNumber_ Number of the rollup's genesis block.
    /// @param startingTimestamp_ Its time.
    /// @param proposer_ Who may propose.
    constructor(
        uint256 submissionInterval_,
        uint256 l2BlockTime_,
        uint256 startingBlockNumber_,
        uint256 startingTimestamp_,
        address proposer_
    ) {
        if (submissionInterval_ == 0 || l2BlockTime_ == 0 || startingTimestamp_ > block.timestamp) {
            revert OutputOracle_InvalidConfiguration();
        }
        submissionInterval = submissionInterval_;
        l2BlockTime = l2BlockTime_;
        startingBlockNumber = startingBlockNumber_;
        startingTimestamp = startingTimestamp_;
        proposer = proposer_;
    }

    /// @inheritdoc IOutputOracle
    function version() external pure returns (string memory) {
        return "1.0.0";
    }

    /// @inheritdoc IOutputOracle
    function proposeL2Output(bytes32 outputRoot, uint256 l2BlockNumber, bytes32 l1BlockHash, uint256 l1BlockNumber)
        external
    {
        if (msg.sender != proposer) revert OutputOracle_NotProposer(msg.sender, proposer);
        uint256 expected = nextBlockNumber();
        if (l2BlockNumber != expected) revert OutputOracle_UnexpectedBlock(l2BlockNumber, expected);
        uint256 l2Timestamp = computeL2Timestamp(l2BlockNumber);
        if (l2Timestamp >= block.timestamp) revert OutputOracle_FutureBlock(l2BlockNumber, l2Timestamp);
        if (outputRoot == bytes32(0)) revert OutputOracle_EmptyOutputRoot();
        if (l1BlockHash != bytes32(0) && blockhash(l1BlockNumber) != l1BlockHash) {
            revert OutputOracle_L1BlockMismatch(l1BlockNumber, l1BlockHash, blockhash(l1BlockNumber));
        }

        emit OutputProposed(outputRoot, _outputs.length, l2BlockNumber, block.timestamp);
        _outputs.push(OutputProposal(outputRoot, uint128(block.timestamp), uint128(l2BlockNumber)));
    }

    /// @inheritdoc IOutputOracle
    function getL2Output(uint256 index) external view returns (OutputProposal memory) {
        return _outputs[index];
    }

    /// @inheritdoc IOutputOracle
    function getL2OutputIndexAfter(uint256 l2BlockNumber) public view returns (uint256) {
        if (_outputs.length == 0 || l2BlockNumber > latestBlockNumber()) {
            revert OutputOracle_NoOutputYet(l2BlockNumber);
        }
        // Outputs stand at a fixed interval from the start, so there is nothing to search.
        if (l2BlockNumber <= startingBlockNumber) return 0;
        return (l2BlockNumber - startingBlockNumber + submissionInterval - 1) / submissionInterval - 1;
    }

    /// @inheritdoc IOutputOracle
    function getL2OutputAfter(uint256 l2BlockNumber) external view returns (OutputProposal memory) {
        return _outputs[getL2OutputIndexAfter(l2BlockNumber)];
    }

    /// @inheritdoc IOutputOracle
    function latestOutputIndex() external view returns (uint256) {
        if (_outputs.length == 0) revert OutputOracle_NoOutputYet(startingBlockNumber);
        return _outputs.length - 1;
    }

    /// @inheritdoc IOutputOracle
    function nextOutputIndex() external view returns (uint256) {
        return _outputs.length;
    }

    /// @inheritdoc IOutputOracle
    function latestBlockNumber() public view returns (uint256) {
        return startingBlockNumber + _outputs.length * submissionInterval;
    }

    /// @inheritdoc IOutputOracle
    function nextBlockNumber() public view returns (uint256) {
        return latestBlockNumber() + submissionInterval;
    }

    /// @inheritdoc IOutputOracle
    function computeL2Timestamp(uint256 l2BlockNumber) public view returns (uint256) {
        return startingTimestamp + (l2BlockNumber - startingBlockNumber) * l2BlockTime;
    }
}
