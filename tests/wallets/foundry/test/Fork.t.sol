// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice WOPEN, as far as this test uses it.
interface IWrappedOpen {
    function deposit() external payable;
    function balanceOf(address account) external view returns (uint256);
    function symbol() external view returns (string memory);
}

/// @title ForkTest
/// @notice Uses a contract of the chain on a fork of it.
contract ForkTest {
    IWrappedOpen private constant WOPEN = IWrappedOpen(0x4200000000000000000000000000000000000006);

    function test_wraps() external {
        require(keccak256(bytes(WOPEN.symbol())) == keccak256("WOPEN"), "not WOPEN");
        WOPEN.deposit{value: 1 ether}();
        require(WOPEN.balanceOf(address(this)) == 1 ether, "not wrapped");
    }
}
