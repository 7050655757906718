// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IGasPriceOracle
/// @notice The OP Stack's gas price oracle at Jovian.
interface IGasPriceOracle {
    /// @notice Decimals of the scalars.
    function DECIMALS() external view returns (uint256);

    /// @notice Semantic version of the contract.
    function version() external pure returns (string memory);

    /// @notice True: Ecotone is active.
    function isEcotone() external view returns (bool);

    /// @notice True: Fjord is active.
    function isFjord() external view returns (bool);

    /// @notice True: Isthmus is active.
    function isIsthmus() external view returns (bool);

    /// @notice True: Jovian is active.
    function isJovian() external view returns (bool);

    /// @notice Decimals of the scalars.
    function decimals() external pure returns (uint256);

    /// @notice Base fee of this L2 block, in wei of OPEN.
    function gasPrice() external view returns (uint256);

    /// @notice Base fee of this L2 block, in wei of OPEN.
    function baseFee() external view returns (uint256);

    /// @notice Base fee of the L1 origin, in wei.
    function l1BaseFee() external view returns (uint256);

    /// @notice Blob base fee of the L1 origin, in wei.
    function blobBaseFee() external view returns (uint256);

    /// @notice Weight of the L1 base fee, in millionths.
    function baseFeeScalar() external view returns (uint32);

    /// @notice Weight of the L1 blob base fee, in millionths.
    function blobBaseFeeScalar() external view returns (uint32);

    /// @notice L1 data fee of a transaction, in wei of OPEN.
    /// @param unsignedTransaction The RLP of the transaction without its signature.
    function getL1Fee(bytes memory unsignedTransaction) external view returns (uint256);

    /// @notice An upper bound of the L1 data fee of any transaction of a given size, in wei of OPEN.
    function getL1FeeUpperBound(uint256 unsignedTransactionSize) external view returns (uint256);

    /// @notice L1 gas that the data of a transaction takes by the model of the fee.
    /// @param unsignedTransaction The RLP of the transaction without its signature.
    function getL1GasUsed(bytes memory unsignedTransaction) external view returns (uint256);

    /// @notice Operator fee of a transaction that uses so much gas, in wei of OPEN.
    function getOperatorFee(uint256 gasUsed) external view returns (uint256);
}
