// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IOutputOracle
/// @notice Output roots of L2, proposed at a fixed interval: the shape of the OP Stack's L2OutputOracle.
interface IOutputOracle {
    /// @notice A proposed output.
    /// @param outputRoot `keccak256(abi.encode(0, stateRoot, messagePasserStorageRoot, blockHash))` of the L2 block.
    /// @param timestamp L1 time of the proposal.
    /// @param l2BlockNumber The L2 block.
    struct OutputProposal {
        bytes32 outputRoot;
        uint128 timestamp;
        uint128 l2BlockNumber;
    }

    /// @notice An output was proposed.
    event OutputProposed(
        bytes32 indexed outputRoot, uint256 indexed l2OutputIndex, uint256 indexed l2BlockNumber, uint256 l1Timestamp
    );

    /// @notice Only `proposer` may propose.
    error OutputOracle_NotProposer(address caller, address proposer);

    /// @notice The next output is due at the L2 block `expected`.
    error OutputOracle_UnexpectedBlock(uint256 l2BlockNumber, uint256 expected);

    /// @notice The L2 block lies in the future of L1.
    error OutputOracle_FutureBlock(uint256 l2BlockNumber, uint256 l2Timestamp);

    /// @notice The zero output root.
    error OutputOracle_EmptyOutputRoot();

    /// @notice L1 reorganised below the proposer: the block that it looked at is not in this chain.
    error OutputOracle_L1BlockMismatch(uint256 l1BlockNumber, bytes32 expected, bytes32 actual);

    /// @notice No output covers the L2 block yet.
    error OutputOracle_NoOutputYet(uint256 l2BlockNumber);

    /// @notice The constructor's values do not make sense.
    error OutputOracle_InvalidConfiguration();

    /// @notice Semantic version of the contract.
    function version() external pure returns (string memory);

    /// @notice L2 blocks between two outputs.
    function submissionInterval() external view returns (uint256);

    /// @notice Seconds between two L2 blocks.
    function l2BlockTime() external view returns (uint256);

    /// @notice The L2 block that the first interval counts from.
    function startingBlockNumber() external view returns (uint256);

    /// @notice Time of that block, in seconds.
    function startingTimestamp() external view returns (uint256);

    /// @notice Who may propose.
    function proposer() external view returns (address);

    /// @notice Appends the output root of `nextBlockNumber()`.
    /// @param outputRoot The output root.
    /// @param l2BlockNumber Must equal `nextBlockNumber()`.
    /// @param l1BlockHash If not zero, the hash that L1 block `l1BlockNumber` must have: guards against L1
    /// reorganisations between the proposer's look at L1 and its transaction.
    /// @param l1BlockNumber One of the last 256 L1 blocks.
    function proposeL2Output(bytes32 outputRoot, uint256 l2BlockNumber, bytes32 l1BlockHash, uint256 l1BlockNumber)
        external;

    /// @notice The output with the given index.
    function getL2Output(uint256 index) external view returns (OutputProposal memory);

    /// @notice Index of the first output at or after an L2 block.
    function getL2OutputIndexAfter(uint256 l2BlockNumber) external view returns (uint256);

    /// @notice The first output at or after an L2 block.
    function getL2OutputAfter(uint256 l2BlockNumber) external view returns (OutputProposal memory);

    /// @notice Index of the newest output; reverts while there is none.
    function latestOutputIndex() external view returns (uint256);

    /// @notice Index that the next output will get.
    function nextOutputIndex() external view returns (uint256);

    /// @notice L2 block of the newest output, or the starting block.
    function latestBlockNumber() external view returns (uint256);

    /// @notice L2 block that the next output must be of.
    function nextBlockNumber() external view returns (uint256);

    /// @notice Time of an L2 block, in seconds.
    function computeL2Timestamp(uint256 l2BlockNumber) external view returns (uint256);
}
