// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IL2ToL1MessagePasser} from "../interfaces/IL2ToL1MessagePasser.sol";

/// @title L2ToL1MessagePasser
/// @notice Records what L2 says to L1. Its storage root is part of every output root, so that a message can be proven
/// on L1 against a proposed output.
contract L2ToL1MessagePasser is IL2ToL1MessagePasser {
    /// @dev Gas of the L1 call for OPEN that is simply sent here.
    uint256 internal constant RECEIVE_DEFAULT_GAS_LIMIT = 100_000;

    /// @inheritdoc IL2ToL1MessagePasser
    uint16 public constant MESSAGE_VERSION = 1;

    /// @inheritdoc IL2ToL1MessagePasser
    /// @dev Slot 0: clients prove membership at `keccak256(abi.encode(withdrawalHash, 0))`.
    mapping(bytes32 withdrawalHash => bool) public sentMessages;

    uint240 internal _nonce;

    /// @notice OPEN that is sent here is withdrawn to the sender's own address on L1.
    receive() external payable {
        _initiateWithdrawal(msg.sender, RECEIVE_DEFAULT_GAS_LIMIT, "");
    }

    /// @inheritdoc IL2ToL1MessagePasser
    function version() external pure returns (string memory) {
        return "1.2.0";
    }

    /// @inheritdoc IL2ToL1MessagePasser
    function initiateWithdrawal(address target, uint256 gasLimit, bytes calldata data) external payable {
        _initiateWithdrawal(target, gasLimit, data);
    }

    /// @inheritdoc IL2ToL1MessagePasser
    function messageNonce() public view returns (uint256) {
        return (uint256(MESSAGE_VERSION) << 240) | _nonce;
    }

    /// @inheritdoc IL2ToL1MessagePasser
    function burn() external {
        uint256 amount = address(this).balance;
        new Burner{value: amount}();
        emit WithdrawerBalanceBurnt(amount);
    }

    function _initiateWithdrawal(address target, uint256 gasLimit, bytes memory data) internal {
        uint256 nonce = messageNonce();
        bytes32 withdrawalHash = keccak256(abi.encode(nonce, msg.sender, target, msg.value, gasLimit, data));
        sentMessages[withdrawalHash] = true;
        emit MessagePassed(nonce, msg.sender, target, msg.value, gasLimit, data, withdrawalHash);
        unchecked {
            ++_nonce;
        }
    }
}

/// @notice Takes its endowment out of existence: a contract that destroys itself in the transaction that creates it,
/// with itself as the heir, leaves nothing behind, EIP-6780 included.
contract Burner {
    constructor() payable {
        assembly ("memory-safe") {
            selfdestruct(address())
        }
    }
}
