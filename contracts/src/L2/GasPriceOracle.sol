// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {LibZip} from "solady/utils/LibZip.sol";

import {IGasPriceOracle} from "../interfaces/IGasPriceOracle.sol";
import {IL1Block} from "../interfaces/IL1Block.sol";
import {Predeploys} from "../libraries/Predeploys.sol";

/// @title GasPriceOracle
/// @notice What a transaction costs beyond its own gas: the L1 data fee (Fjord's rule) and the operator fee (Jovian's).
/// @dev The execution engine computes both itself; this contract repeats its arithmetic for wallets.
contract GasPriceOracle is IGasPriceOracle {
    /// @inheritdoc IGasPriceOracle
    uint256 public constant DECIMALS = 6;

    /// @dev Fjord's linear model of the compressed size of a transaction, in millionths of a byte.
    int256 private constant COST_INTERCEPT = -42_585_600;
    int256 private constant COST_FASTLZ_COEF = 836_500;
    int256 private constant MIN_TRANSACTION_SIZE = 100e6;

    /// @dev Bytes that a signature adds to an unsigned transaction.
    uint256 private constant SIGNATURE_LENGTH = 68;

    IL1Block private constant L1_BLOCK = IL1Block(Predeploys.L1_BLOCK);

    /// @inheritdoc IGasPriceOracle
    function version() external pure returns (string memory) {
        return "1.6.0";
    }

    /// @inheritdoc IGasPriceOracle
    function isEcotone() external pure returns (bool) {
        return true;
    }

    /// @inheritdoc IGasPriceOracle
    function isFjord() external pure returns (bool) {
        return true;
    }

    /// @inheritdoc IGasPriceOracle
    function isIsthmus() external pure returns (bool) {
        return true;
    }

    /// @inheritdoc IGasPriceOracle
    function isJovian() external pure returns (bool) {
        return true;
    }

    /// @inheritdoc IGasPriceOracle
    function decimals() external pure returns (uint256) {
        return DECIMALS;
    }

    /// @inheritdoc IGasPriceOracle
    function gasPrice() external view returns (uint256) {
        return block.basefee;
    }

    /// @inheritdoc IGasPriceOracle
    function baseFee() external view returns (uint256) {
        return block.basefee;
    }

    /// @inheritdoc IGasPriceOracle
    function l1BaseFee() public view returns (uint256) {
        return L1_BLOCK.basefee();
    }

    /// @inheritdoc IGasPriceOracle
    function blobBaseFee() public view returns (uint256) {
        return L1_BLOCK.blobBaseFee();
    }

    /// @inheritdoc IGasPriceOracle
    function baseFeeScalar() public view returns (uint32) {
        return L1_BLOCK.baseFeeScalar();
    }

    /// @inheritdoc IGasPriceOracle
    function blobBaseFeeScalar() public view returns (uint32) {
        return L1_BLOCK.blobBaseFeeScalar();
    }

    /// @inheritdoc IGasPriceOracle
    function getL1Fee(bytes memory unsignedTransaction) external view returns (uint256) {
        return _fee(_estimatedSize(LibZip.flzCompress(unsignedTransaction).length + SIGNATURE_LENGTH));
    }

    /// @inheritdoc IGasPriceOracle
    function getL1FeeUpperBound(uint256 unsignedTransactionSize) external view returns (uint256) {
        uint256 size = unsignedTransactionSize + SIGNATURE_LENGTH;
        // FastLZ lengthens what it cannot compress by one byte in 255, and by 16 at most beyond that.
        return _fee(_estimatedSize(size + size / 255 + 16));
    }

    /// @inheritdoc IGasPriceOracle
    function getL1GasUsed(bytes memory unsignedTransaction) external pure returns (uint256) {
        return _estimatedSize(LibZip.flzCompress(unsignedTransaction).length + SIGNATURE_LENGTH) * 16 / 10 ** DECIMALS;
    }

    /// @inheritdoc IGasPriceOracle
    function getOperatorFee(uint256 gasUsed) external view returns (uint256) {
        unchecked {
            uint256 scalar = uint256(L1_BLOCK.operatorFeeScalar()) * 100;
            uint256 constant_ = L1_BLOCK.operatorFeeConstant();
            uint256 variable_ =
                scalar == 0 || gasUsed <= type(uint256).max / scalar ? gasUsed * scalar : type(uint256).max;
            return variable_ <= type(uint256).max - constant_ ? variable_ + constant_ : type(uint256).max;
        }
    }

    /// @dev The transaction's share of a compressed batch, in millionths of a byte.
    function _estimatedSize(uint256 fastLzSize) private pure returns (uint256) {
        int256 size = COST_INTERCEPT + COST_FASTLZ_COEF * int256(fastLzSize);
        return uint256(size < MIN_TRANSACTION_SIZE ? MIN_TRANSACTION_SIZE : size);
    }

    function _fee(uint256 size) private view returns (uint256) {
        uint256 price = uint256(baseFeeScalar()) * 16 * l1BaseFee() + uint256(blobBaseFeeScalar()) * blobBaseFee();
        return size * price / 10 ** (DECIMALS * 2);
    }
}
