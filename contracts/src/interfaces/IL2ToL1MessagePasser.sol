// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IL2ToL1MessagePasser
/// @notice The OP Stack's message passer: withdrawals start here.
interface IL2ToL1MessagePasser {
    /// @notice A message, to be proven and executed on L1.
    event MessagePassed(
        uint256 indexed nonce,
        address indexed sender,
        address indexed target,
        uint256 value,
        uint256 gasLimit,
        bytes data,
        bytes32 withdrawalHash
    );

    /// @notice OPEN that left L2 was removed from its supply.
    event WithdrawerBalanceBurnt(uint256 indexed amount);

    /// @notice Version of the messages, in the two top bytes of their nonces.
    function MESSAGE_VERSION() external view returns (uint16);

    /// @notice Semantic version of the contract.
    function version() external pure returns (string memory);

    /// @notice Whether a message was sent.
    function sentMessages(bytes32 withdrawalHash) external view returns (bool);

    /// @notice Nonce of the next message, with its version.
    function messageNonce() external view returns (uint256);

    /// @notice Sends a message, and the OPEN that comes with it, to L1.
    /// @param target Address called on L1.
    /// @param gasLimit Gas of that call.
    /// @param data Calldata of that call.
    function initiateWithdrawal(address target, uint256 gasLimit, bytes calldata data) external payable;

    /// @notice Removes the OPEN of past withdrawals from L2's supply. Anyone may call it.
    function burn() external;
}
