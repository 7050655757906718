// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {LibSort} from "solady/utils/LibSort.sol";

import {IInferenceLedger} from "../interfaces/IInferenceLedger.sol";

/// @title ContributorTable
/// @notice The table of accounts of a settlement batch: every contributor once, ascending, as `SETTLE` wants it.
/// @dev Contributors come in any order and repeat within and across receipts. Transient storage, keyed by the address
/// itself, first tells who was seen and then holds each one's index: three accesses of 100 gas for an account, two for
/// an entry, and only the unique accounts are sorted. No other transient slot is below 2^160: the reentrancy guard's is
/// a hash.
library ContributorTable {
    /// @notice Builds the table and remembers the index of each account until `close`.
    /// @param batch The settlements; the lengths of their two arrays must have been compared before.
    /// @param entries Number of entries in all of them.
    function open(IInferenceLedger.Settlement[] calldata batch, uint256 entries)
        internal
        returns (address[] memory accounts)
    {
        accounts = new address[](entries);
        uint256 unique;
        for (uint256 i; i < batch.length; ++i) {
            address[] calldata contributors = batch[i].contributors;
            for (uint256 j; j < contributors.length; ++j) {
                address account = contributors[j];
                if (_load(account) == 0) {
                    _store(account, 1);
                    accounts[unique++] = account;
                }
            }
        }
        assembly ("memory-safe") {
            mstore(accounts, unique)
        }
        LibSort.sort(accounts);
        for (uint256 i; i < unique; ++i) {
            _store(accounts[i], i);
        }
    }

    /// @notice Index of an account of the table.
    function indexOf(address account) internal view returns (uint256) {
        return _load(account);
    }

    /// @notice Forgets the table, so that another batch can follow in the same transaction.
    function close(address[] memory accounts) internal {
        for (uint256 i; i < accounts.length; ++i) {
            _store(accounts[i], 0);
        }
    }

    function _load(address account) private view returns (uint256 value) {
        assembly ("memory-safe") {
            value := tload(account)
        }
    }

    function _store(address account, uint256 value) private {
        assembly ("memory-safe") {
            tstore(account, value)
        }
    }
}
