// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IL1Block
/// @notice The OP Stack's L1Block predeploy, at Jovian, on a chain with its own native coin.
interface IL1Block {
    /// @notice Only the protocol's own account may write.
    error NotDepositor();

    /// @notice The account in whose name the protocol deposits.
    function DEPOSITOR_ACCOUNT() external view returns (address);

    /// @notice Number of the L1 origin.
    function number() external view returns (uint64);

    /// @notice Time of the L1 origin, in seconds.
    function timestamp() external view returns (uint64);

    /// @notice Base fee of the L1 origin, in wei of ether.
    function basefee() external view returns (uint256);

    /// @notice Hash of the L1 origin.
    function hash() external view returns (bytes32);

    /// @notice Number of L2 blocks since the first one with this L1 origin.
    function sequenceNumber() external view returns (uint64);

    /// @notice Weight of the blob base fee in the L1 data fee, in millionths.
    function blobBaseFeeScalar() external view returns (uint32);

    /// @notice Weight of the base fee in the L1 data fee, in millionths.
    function baseFeeScalar() external view returns (uint32);

    /// @notice Who may post batches on L1.
    function batcherHash() external view returns (bytes32);

    /// @notice Always zero.
    function l1FeeOverhead() external view returns (uint256);

    /// @notice Always zero.
    function l1FeeScalar() external view returns (uint256);

    /// @notice Blob base fee of the L1 origin, in wei of ether.
    function blobBaseFee() external view returns (uint256);

    /// @notice Fixed part of the operator fee, in wei of OPEN.
    function operatorFeeConstant() external view returns (uint64);

    /// @notice Variable part of the operator fee: wei of OPEN for each unit of gas, in hundreds.
    function operatorFeeScalar() external view returns (uint32);

    /// @notice Gas counted against the block's limit for each byte of estimated compressed size.
    function daFootprintGasScalar() external view returns (uint16);

    /// @notice Writes all values from packed calldata.
    function setL1BlockValuesJovian() external;

    /// @notice Semantic version of the contract.
    function version() external pure returns (string memory);

    /// @notice True: the native coin is OPEN.
    function isCustomGasToken() external pure returns (bool);

    /// @notice Name of the native coin.
    function gasPayingTokenName() external pure returns (string memory);

    /// @notice Symbol of the native coin.
    function gasPayingTokenSymbol() external pure returns (string memory);
}
