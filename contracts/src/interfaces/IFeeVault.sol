// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IFeeVault
/// @notice The OP Stack's fee vault.
interface IFeeVault {
    /// @notice Where a vault pays out.
    enum WithdrawalNetwork {
        L1,
        L2
    }

    /// @notice The vault paid out `value` to `to`, on the call of `from`.
    event Withdrawal(uint256 value, address to, address from, WithdrawalNetwork withdrawalNetwork);

    /// @notice Less than the minimum has gathered.
    error FeeVault_BelowMinimum(uint256 balance, uint256 minimum);

    /// @notice The recipient refused the payment.
    error FeeVault_TransferFailed();

    /// @notice Semantic version of the contract.
    function version() external pure returns (string memory);

    /// @notice Who is paid.
    function recipient() external view returns (address);

    /// @notice The least amount that is paid out, in wei.
    function minWithdrawalAmount() external view returns (uint256);

    /// @notice Paid out so far, in wei.
    function totalProcessed() external view returns (uint256);

    /// @notice Where the vault pays out: on L2.
    function withdrawalNetwork() external pure returns (WithdrawalNetwork);

    /// @notice Pays out all that has gathered.
    function withdraw() external returns (uint256 value);
}
