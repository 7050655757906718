// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "solady/tokens/ERC20.sol";

/// @title WrappedOpen
/// @notice WOPEN: the native coin as an ERC-20 with EIP-2612 permits, one for one, for contracts that know only tokens.
contract WrappedOpen is ERC20 {
    /// @notice `amount` of OPEN was wrapped for `account`.
    event Deposit(address indexed account, uint256 amount);

    /// @notice `amount` of WOPEN of `account` was unwrapped.
    event Withdrawal(address indexed account, uint256 amount);

    /// @notice The caller cannot be paid.
    error TransferFailed();

    /// @notice OPEN that is simply sent here is wrapped.
    receive() external payable {
        deposit();
    }

    /// @notice Wraps the OPEN that comes with the call.
    function deposit() public payable {
        _mint(msg.sender, msg.value);
        emit Deposit(msg.sender, msg.value);
    }

    /// @notice Unwraps `amount` wei to the caller.
    function withdraw(uint256 amount) external {
        _burn(msg.sender, amount);
        emit Withdrawal(msg.sender, amount);
        (bool success,) = msg.sender.call{value: amount}("");
        if (!success) revert TransferFailed();
    }

    /// @inheritdoc ERC20
    function name() public pure override returns (string memory) {
        return "Wrapped OPEN";
    }

    /// @inheritdoc ERC20
    function symbol() public pure override returns (string memory) {
        return "WOPEN";
    }

    /// @dev Nobody has an allowance that the holder did not give.
    function _givePermit2InfiniteAllowance() internal pure override returns (bool) {
        return false;
    }
}
