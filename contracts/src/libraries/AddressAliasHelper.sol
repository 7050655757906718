// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title AddressAliasHelper
/// @notice The address under which an L1 contract appears on L2. Without the offset, a contract on L1 could act as the
/// unrelated contract that happens to have the same address on L2.
library AddressAliasHelper {
    uint160 internal constant OFFSET = uint160(0x1111000000000000000000000000000000001111);

    /// @notice The L2 sender of a deposit made by the L1 contract `l1Address`.
    function applyL1ToL2Alias(address l1Address) internal pure returns (address l2Address) {
        unchecked {
            l2Address = address(uint160(l1Address) + OFFSET);
        }
    }

    /// @notice The L1 contract behind the L2 sender `l2Address`.
    function undoL1ToL2Alias(address l2Address) internal pure returns (address l1Address) {
        unchecked {
            l1Address = address(uint160(l2Address) - OFFSET);
        }
    }
}
