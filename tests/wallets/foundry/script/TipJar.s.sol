// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {TipJar} from "../src/TipJar.sol";

/// @notice forge's cheatcodes, as far as this script uses them.
interface Vm {
    function startBroadcast() external;
    function stopBroadcast() external;
}

/// @title TipJarScript
/// @notice Deploys a jar, tips it twice, and deploys another through the CREATE2 factory that every chain has.
contract TipJarScript {
    Vm private constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    function run(bytes32 salt) external returns (TipJar jar, TipJar fixedJar) {
        vm.startBroadcast();
        jar = new TipJar(msg.sender);
        jar.tip{value: 1 gwei}("first");
        jar.tip{value: 2 gwei}("second");
        fixedJar = new TipJar{salt: salt}(msg.sender);
        vm.stopBroadcast();
        require(jar.tips() == 2 && address(jar).balance == 3 gwei, "not what a fork of the chain says");
    }
}
