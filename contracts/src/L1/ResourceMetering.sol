// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {FixedPointMathLib} from "solady/utils/FixedPointMathLib.sol";

/// @title ResourceMetering
/// @notice Sells L2 gas to depositors. A deposit cannot be refused on L2, so its gas is bounded for each L1 block and
/// paid on L1, by burning L1 gas, at a price that follows demand as EIP-1559's base fee does.
abstract contract ResourceMetering {
    /// @notice The market's state, in one slot.
    /// @param prevBaseFee Price of L2 gas in the last block with a deposit, in wei.
    /// @param prevBoughtGas L2 gas bought in that block.
    /// @param prevBlockNum That block.
    struct ResourceParams {
        uint128 prevBaseFee;
        uint64 prevBoughtGas;
        uint64 prevBlockNum;
    }

    /// @notice L2 gas that all deposits of one L1 block can buy together.
    uint64 public constant MAX_RESOURCE_LIMIT = 20_000_000;

    /// @notice The limit divided by the target.
    uint64 public constant ELASTICITY_MULTIPLIER = 10;

    /// @notice The price moves by at most the `ELASTICITY_MULTIPLIER - 1` fold of one eighth for each block.
    uint64 public constant BASE_FEE_MAX_CHANGE_DENOMINATOR = 8;

    /// @notice The lowest price of L2 gas, and the L1 base fee below which burnt gas is not worth less.
    uint128 public constant MINIMUM_BASE_FEE = 1 gwei;

    /// @notice The state of the market after the last deposit.
    ResourceParams public params;

    /// @notice The deposits of this L1 block would buy more L2 gas than there is to sell.
    error ResourceMetering_OutOfGas();

    constructor() {
        params = ResourceParams({prevBaseFee: MINIMUM_BASE_FEE, prevBoughtGas: 0, prevBlockNum: uint64(block.number)});
    }

    /// @dev Buys `amount` of L2 gas: what the function itself used of L1 gas counts towards the price, the rest is burnt.
    modifier metered(uint64 amount) {
        uint256 initialGas = gasleft();
        _;
        _buy(amount, initialGas);
    }

    function _buy(uint64 amount, uint256 initialGas) private {
        ResourceParams memory p = params;
        if (block.number != p.prevBlockNum) {
            p.prevBaseFee = _nextBaseFee(p.prevBaseFee, p.prevBoughtGas, block.number - p.prevBlockNum);
            p.prevBoughtGas = 0;
            p.prevBlockNum = uint64(block.number);
        }
        if (amount > MAX_RESOURCE_LIMIT - p.prevBoughtGas) revert ResourceMetering_OutOfGas();
        p.prevBoughtGas += amount;
        params = p;

        uint256 l1Gas =
            uint256(amount) * p.prevBaseFee / (block.basefee > MINIMUM_BASE_FEE ? block.basefee : MINIMUM_BASE_FEE);
        uint256 used = initialGas - gasleft();
        if (l1Gas > used) _burn(l1Gas - used);
    }

    /// @dev EIP-1559's rule over the first block, then `(7/8)ⁿ` for the `n` blocks after it that sold nothing.
    function _nextBaseFee(uint128 baseFee, uint64 boughtGas, uint256 blocks) private pure returns (uint128) {
        uint256 target = MAX_RESOURCE_LIMIT / ELASTICITY_MULTIPLIER;
        uint256 next = baseFee;
        if (boughtGas > target) {
            next += next * (boughtGas - target) / target / BASE_FEE_MAX_CHANGE_DENOMINATOR;
        } else {
            next -= next * (target - boughtGas) / target / BASE_FEE_MAX_CHANGE_DENOMINATOR;
        }
        if (blocks > 1) {
            next = next * FixedPointMathLib.rpow(0.875e18, blocks - 1, 1e18) / 1e18;
        }
        if (next < MINIMUM_BASE_FEE) return MINIMUM_BASE_FEE;
        return next > type(uint128).max ? type(uint128).max : uint128(next);
    }

    function _burn(uint256 amount) private view {
        uint256 initialGas = gasleft();
        uint256 i;
        while (initialGas - gasleft() < amount) ++i;
    }
}
