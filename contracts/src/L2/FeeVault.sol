// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IFeeVault} from "../interfaces/IFeeVault.sol";

/// @title FeeVault
/// @notice Collects one kind of fee. The execution engine credits it without a call; anyone may move what has gathered
/// to the recipient.
abstract contract FeeVault is IFeeVault {
    /// @inheritdoc IFeeVault
    address public immutable recipient;

    /// @inheritdoc IFeeVault
    uint256 public immutable minWithdrawalAmount;

    /// @inheritdoc IFeeVault
    uint256 public totalProcessed;

    constructor(address recipient_, uint256 minWithdrawalAmount_) {
        recipient = recipient_;
        minWithdrawalAmount = minWithdrawalAmount_;
    }

    /// @notice Accepts OPEN.
    receive() external payable {}

    /// @inheritdoc IFeeVault
    function version() external pure returns (string memory) {
        return "1.6.0";
    }

    /// @inheritdoc IFeeVault
    function withdrawalNetwork() external pure returns (WithdrawalNetwork) {
        return WithdrawalNetwork.L2;
    }

    /// @inheritdoc IFeeVault
    function withdraw() external returns (uint256 value) {
        value = address(this).balance;
        if (value < minWithdrawalAmount) revert FeeVault_BelowMinimum(value, minWithdrawalAmount);
        totalProcessed += value;
        emit Withdrawal(value, recipient, msg.sender, WithdrawalNetwork.L2);
        (bool success,) = recipient.call{value: value}("");
        if (!success) revert FeeVault_TransferFailed();
    }
}

/// @title SequencerFeeVault
/// @notice Collects the priority fees.
contract SequencerFeeVault is FeeVault {
    constructor(address recipient_, uint256 minWithdrawalAmount_) FeeVault(recipient_, minWithdrawalAmount_) {}

    /// @notice The recipient, by the name that older tools ask for.
    function l1FeeWallet() external view returns (address) {
        return recipient;
    }
}

/// @title BaseFeeVault
/// @notice Collects the base fees.
contract BaseFeeVault is FeeVault {
    constructor(address recipient_, uint256 minWithdrawalAmount_) FeeVault(recipient_, minWithdrawalAmount_) {}
}

/// @title L1FeeVault
/// @notice Collects the L1 data fees.
contract L1FeeVault is FeeVault {
    constructor(address recipient_, uint256 minWithdrawalAmount_) FeeVault(recipient_, minWithdrawalAmount_) {}
}

/// @title OperatorFeeVault
/// @notice Collects the operator fees.
contract OperatorFeeVault is FeeVault {
    constructor(address recipient_, uint256 minWithdrawalAmount_) FeeVault(recipient_, minWithdrawalAmount_) {}
}
