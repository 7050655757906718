// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IL1Block} from "../interfaces/IL1Block.sol";

/// @title L1Block
/// @notice What L2 knows about its L1 origin. The first transaction of every L2 block, a deposit that the derivation
/// rules put there, writes it.
/// @dev Slots and offsets are read by the execution engine to compute fees and must stay as they are. Predeploys change
/// in hard forks, by a state transition that replaces their code.
contract L1Block is IL1Block {
    /// @inheritdoc IL1Block
    address public constant DEPOSITOR_ACCOUNT = 0xDeaDDEaDDeAdDeAdDEAdDEaddeAddEAdDEAd0001;

    // Slot 0.
    /// @inheritdoc IL1Block
    uint64 public number;
    /// @inheritdoc IL1Block
    uint64 public timestamp;

    // Slot 1.
    /// @inheritdoc IL1Block
    uint256 public basefee;

    // Slot 2.
    /// @inheritdoc IL1Block
    bytes32 public hash;

    // Slot 3.
    /// @inheritdoc IL1Block
    uint64 public sequenceNumber;
    /// @inheritdoc IL1Block
    uint32 public blobBaseFeeScalar;
    /// @inheritdoc IL1Block
    uint32 public baseFeeScalar;

    // Slot 4.
    /// @inheritdoc IL1Block
    bytes32 public batcherHash;

    // Slots 5 and 6, of no use since Ecotone.
    /// @inheritdoc IL1Block
    uint256 public l1FeeOverhead;
    /// @inheritdoc IL1Block
    uint256 public l1FeeScalar;

    // Slot 7.
    /// @inheritdoc IL1Block
    uint256 public blobBaseFee;

    // Slot 8.
    /// @inheritdoc IL1Block
    uint64 public operatorFeeConstant;
    /// @inheritdoc IL1Block
    uint32 public operatorFeeScalar;
    /// @inheritdoc IL1Block
    uint16 public daFootprintGasScalar;

    /// @inheritdoc IL1Block
    function setL1BlockValuesJovian() external {
        if (msg.sender != DEPOSITOR_ACCOUNT) revert NotDepositor();
        // The packed calldata: selector 4, baseFeeScalar u32, blobBaseFeeScalar u32, sequenceNumber u64, timestamp u64,
        // number u64, basefee u256, blobBaseFee u256, hash, batcherHash, operatorFeeScalar u32, operatorFeeConstant u64,
        // daFootprintGasScalar u16.
        assembly ("memory-safe") {
            sstore(sequenceNumber.slot, shr(128, calldataload(4)))
            sstore(number.slot, shr(128, calldataload(20)))
            sstore(basefee.slot, calldataload(36))
            sstore(blobBaseFee.slot, calldataload(68))
            sstore(hash.slot, calldataload(100))
            sstore(batcherHash.slot, calldataload(132))
            // In storage the footprint scalar stands above the operator fee's two values, in calldata below them.
            let tail := shr(144, calldataload(164))
            sstore(operatorFeeConstant.slot, or(shl(96, and(tail, 0xffff)), shr(16, tail)))
        }
    }

    /// @inheritdoc IL1Block
    function version() external pure returns (string memory) {
        return "1.8.0";
    }

    /// @inheritdoc IL1Block
    function isCustomGasToken() external pure returns (bool) {
        return true;
    }

    /// @inheritdoc IL1Block
    function gasPayingTokenName() external pure returns (string memory) {
        return "OpenLedger";
    }

    /// @inheritdoc IL1Block
    function gasPayingTokenSymbol() external pure returns (string memory) {
        return "OPEN";
    }
}
