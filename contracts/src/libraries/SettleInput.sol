// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IInferenceLedger} from "../interfaces/IInferenceLedger.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";

/// @title SettleInput
/// @notice Writes the packed input of the `SETTLE` precompile (docs/spec/settlement.md) into memory, front to back.
/// @dev A cursor is the memory address of the next byte. Each write stores a whole word whose tail the next one
/// overwrites, so a word of slack follows the input.
library SettleInput {
    uint256 internal constant VERSION = 1;
    uint256 internal constant HEADER_LENGTH = 5;
    uint256 internal constant ACCOUNT_LENGTH = 20;
    uint256 internal constant RECEIPT_LENGTH = 65;
    uint256 internal constant ENTRY_LENGTH = 10;

    /// @notice Reserves an input and writes its header and its table of accounts.
    /// @param accounts The contributors, strictly ascending.
    /// @param receipts Number of receipts that follow.
    /// @param entries Number of entries in all of them.
    function create(address[] memory accounts, uint256 receipts, uint256 entries)
        internal
        pure
        returns (bytes memory input, uint256 cursor)
    {
        uint256 length =
            HEADER_LENGTH + accounts.length * ACCOUNT_LENGTH + receipts * RECEIPT_LENGTH + entries * ENTRY_LENGTH;
        input = new bytes(length + 32);
        assembly ("memory-safe") {
            mstore(input, length)
            cursor := add(input, 32)
        }
        cursor = _put(cursor, (VERSION << 32) | (accounts.length << 16) | receipts, HEADER_LENGTH);
        for (uint256 i; i < accounts.length; ++i) {
            cursor = _put(cursor, uint160(accounts[i]), ACCOUNT_LENGTH);
        }
    }

    /// @notice Writes what a receipt has before its entries.
    function putReceipt(
        uint256 cursor,
        uint256 tokensIn,
        uint256 tokensOut,
        IModelRegistry.FeeSchedule memory fees,
        uint256 entries
    ) internal pure returns (uint256) {
        cursor = _put(cursor, (tokensIn << 32) | tokensOut, 8);
        cursor = _put(cursor, (uint256(fees.rateIn) << 128) | fees.rateOut, 32);
        cursor = _put(cursor, (uint256(fees.platformKind) << 128) | fees.platformValue, 17);
        uint256 shares = (uint256(fees.modelBps) << 32) | (uint256(fees.stakersBps) << 16) | fees.contributorsBps;
        return _put(cursor, (shares << 16) | entries, 8);
    }

    /// @notice Writes one entry of a receipt.
    function putEntry(uint256 cursor, uint256 accountIndex, int64 influence) internal pure returns (uint256) {
        return _put(cursor, (accountIndex << 64) | uint64(influence), ENTRY_LENGTH);
    }

    /// @dev Writes the low `length` bytes of `value`, big-endian.
    function _put(uint256 cursor, uint256 value, uint256 length) private pure returns (uint256 next) {
        assembly ("memory-safe") {
            mstore(cursor, shl(sub(256, shl(3, length)), value))
            next := add(cursor, length)
        }
    }
}
