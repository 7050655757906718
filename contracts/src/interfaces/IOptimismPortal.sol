// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IOptimismPortal
/// @notice The OP Stack's portal with an ERC-20 as the native coin of L2: the way into the rollup that the sequencer
/// cannot close. Every deposit recorded here is executed on L2 by the derivation rules.
interface IOptimismPortal {
    /// @notice A deposit for L2.
    /// @param from The sender on L2: the caller, or its alias if it is a contract.
    /// @param to The target on L2.
    /// @param version Version of `opaqueData`, zero.
    /// @param opaqueData `mint u256 ‖ value u256 ‖ gasLimit u64 ‖ isCreation u8 ‖ data`, packed.
    event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData);

    /// @notice Ether was sent, but the native coin of L2 is OPEN: use `depositERC20Transaction`.
    error OptimismPortal_NotAllowedOnCGTMode();

    /// @notice A contract creation has no target: pass the zero address.
    error OptimismPortal_BadTarget();

    /// @notice More than 120,000 bytes of data.
    error OptimismPortal_CalldataTooLarge();

    /// @notice Less gas than `minimumGasLimit(data.length)`.
    error OptimismPortal_GasLimitTooLow();

    /// @notice Semantic version of the interface.
    function version() external pure returns (string memory);

    /// @notice The system configuration of this rollup.
    function systemConfig() external view returns (address);

    /// @notice OPEN on L1.
    function gasPayingToken() external view returns (address);

    /// @notice OPEN locked here, in wei: at least what exists on L2.
    function balance() external view returns (uint256);

    /// @notice The least gas limit for a deposit with so many bytes of data.
    function minimumGasLimit(uint64 byteCount) external pure returns (uint64);

    /// @notice Deposits a transaction that spends what the sender already has on L2.
    /// @param to Target on L2.
    /// @param value OPEN that the L2 call carries, in wei.
    /// @param gasLimit Gas of the L2 call, bought here.
    /// @param isCreation Whether the call creates a contract.
    /// @param data Calldata or creation code.
    function depositTransaction(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes calldata data)
        external
        payable;

    /// @notice Locks `mint` of the caller's OPEN, which appears on L2 with the sender of the deposited transaction.
    /// @param to Target on L2.
    /// @param mint OPEN locked here and created on L2, in wei.
    /// @param value OPEN that the L2 call carries, in wei.
    /// @param gasLimit Gas of the L2 call, bought here.
    /// @param isCreation Whether the call creates a contract.
    /// @param data Calldata or creation code.
    function depositERC20Transaction(
        address to,
        uint256 mint,
        uint256 value,
        uint64 gasLimit,
        bool isCreation,
        bytes calldata data
    ) external;
}
