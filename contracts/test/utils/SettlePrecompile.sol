// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ISettleErrors, SettleSplit} from "../SettleReference.sol";
import {Vm} from "./Test.sol";

/// @title SettlePrecompile
/// @notice Stands in for the precompile in forge's EVM: the reference's arithmetic, with the caller's balance moved as
/// only a precompile can.
contract SettlePrecompile is ISettleErrors {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    fallback(bytes calldata input) external payable returns (bytes memory) {
        if (msg.value != 0) revert SettleValueSent();
        (uint256[] memory words, address[] memory accounts, uint256[] memory rewards) = SettleSplit.split(input);
        uint256 needed;
        for (uint256 i; i < accounts.length; ++i) {
            if (accounts[i] != msg.sender) needed += rewards[i];
        }
        uint256 balance = msg.sender.balance;
        if (balance < needed) revert SettleInsufficientBalance(balance, needed);
        for (uint256 i; i < accounts.length; ++i) {
            if (accounts[i] == msg.sender || rewards[i] == 0) continue;
            // A transfer in the caller's name: undone if the call around it is.
            vm.prank(msg.sender);
            (bool success,) = accounts[i].call{value: rewards[i], gas: 0}("");
            require(success, "transfer failed");
        }
        return abi.encodePacked(words);
    }
}
