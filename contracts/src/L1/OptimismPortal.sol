// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IOptimismPortal} from "../interfaces/IOptimismPortal.sol";
import {AddressAliasHelper} from "../libraries/AddressAliasHelper.sol";
import {ResourceMetering} from "./ResourceMetering.sol";

/// @title OptimismPortal
/// @notice Locks OPEN on L1 and records deposits for L2.
/// @dev Not upgradeable yet: withdrawals bring the version behind an ERC-1967 proxy, owned by the timelock. The OPEN
/// locked here can only be released by that version, so it is deployed before the rollup holds anybody's money.
contract OptimismPortal is IOptimismPortal, ResourceMetering {
    using SafeERC20 for IERC20;

    /// @dev Version of the deposits' `opaqueData`.
    uint256 internal constant DEPOSIT_VERSION = 0;

    /// @dev Keeps a deposit within what fits into a gossiped L2 block.
    uint256 internal constant MAX_DATA_LENGTH = 120_000;

    /// @inheritdoc IOptimismPortal
    address public immutable systemConfig;

    /// @inheritdoc IOptimismPortal
    address public immutable gasPayingToken;

    /// @param systemConfig_ The rollup's system configuration.
    /// @param token OPEN on L1.
    constructor(address systemConfig_, address token) {
        systemConfig = systemConfig_;
        gasPayingToken = token;
    }

    /// @inheritdoc IOptimismPortal
    function version() external pure returns (string memory) {
        return "3.0.0";
    }

    /// @inheritdoc IOptimismPortal
    function balance() external view returns (uint256) {
        return IERC20(gasPayingToken).balanceOf(address(this));
    }

    /// @inheritdoc IOptimismPortal
    function minimumGasLimit(uint64 byteCount) public pure returns (uint64) {
        return byteCount * 40 + 21_000;
    }

    /// @inheritdoc IOptimismPortal
    function depositTransaction(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes calldata data)
        external
        payable
        metered(gasLimit)
    {
        if (msg.value != 0) revert OptimismPortal_NotAllowedOnCGTMode();
        _deposit(to, 0, value, gasLimit, isCreation, data);
    }

    /// @inheritdoc IOptimismPortal
    function depositERC20Transaction(
        address to,
        uint256 mint,
        uint256 value,
        uint64 gasLimit,
        bool isCreation,
        bytes calldata data
    ) external metered(gasLimit) {
        // OPEN takes no fee on transfers and calls nobody back: what is minted on L2 is exactly what arrives here.
        if (mint != 0) IERC20(gasPayingToken).safeTransferFrom(msg.sender, address(this), mint);
        _deposit(to, mint, value, gasLimit, isCreation, data);
    }

    function _deposit(address to, uint256 mint, uint256 value, uint64 gasLimit, bool isCreation, bytes calldata data)
        internal
    {
        if (isCreation && to != address(0)) revert OptimismPortal_BadTarget();
        if (data.length > MAX_DATA_LENGTH) revert OptimismPortal_CalldataTooLarge();
        if (gasLimit < minimumGasLimit(uint64(data.length))) revert OptimismPortal_GasLimitTooLow();

        address from = _isSenderEOA() ? msg.sender : AddressAliasHelper.applyL1ToL2Alias(msg.sender);
        emit TransactionDeposited(from, to, DEPOSIT_VERSION, abi.encodePacked(mint, value, gasLimit, isCreation, data));
    }

    /// @dev An account that delegates its code by EIP-7702 is still controlled by the same key on both layers.
    function _isSenderEOA() internal view returns (bool) {
        if (msg.sender == tx.origin) return true;
        bytes memory code = msg.sender.code;
        return code.length == 23 && bytes3(code) == 0xef0100;
    }
}
