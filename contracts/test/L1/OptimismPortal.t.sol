// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {OpenToken} from "../../src/L1/OpenToken.sol";
import {OptimismPortal} from "../../src/L1/OptimismPortal.sol";
import {ResourceMetering} from "../../src/L1/ResourceMetering.sol";
import {IOptimismPortal} from "../../src/interfaces/IOptimismPortal.sol";
import {AddressAliasHelper} from "../../src/libraries/AddressAliasHelper.sol";
import {Test, Vm} from "../utils/Test.sol";

contract OptimismPortalTest is Test {
    OpenToken internal token;
    OptimismPortal internal portal;
    address internal alice = makeAddr("alice");

    function setUp() public {
        token = new OpenToken(address(this));
        portal = new OptimismPortal(makeAddr("system config"), address(token));
        assert(token.transfer(alice, 1000 ether));
        vm.prank(alice);
        token.approve(address(portal), type(uint256).max);
    }

    function test_version_selectsDisputeGamesInViem() public view {
        vm.assertEq(bytes(portal.version())[0], "3");
    }

    function testFuzz_depositERC20Transaction_emitsExactOpaqueData(
        address to,
        uint256 mint,
        uint256 value,
        uint64 gasLimit,
        bytes calldata data
    ) public {
        mint = bound(mint, 0, 1000 ether);
        gasLimit = uint64(bound(gasLimit, portal.minimumGasLimit(uint64(data.length)), 1_000_000));

        vm.recordLogs();
        vm.prank(alice, alice);
        portal.depositERC20Transaction(to, mint, value, gasLimit, false, data);

        Vm.Log memory log = onlyLog(address(portal));
        vm.assertEq(log.topics[0], keccak256("TransactionDeposited(address,address,uint256,bytes)"));
        vm.assertEq(log.topics[1], bytes32(uint256(uint160(alice))));
        vm.assertEq(log.topics[2], bytes32(uint256(uint160(to))));
        vm.assertEq(log.topics[3], bytes32(0));
        bytes memory opaqueData = abi.decode(log.data, (bytes));
        vm.assertEq(opaqueData.length, 73 + data.length);
        vm.assertEq(opaqueData, bytes.concat(bytes32(mint), bytes32(value), bytes8(gasLimit), bytes1(uint8(0)), data));
        vm.assertEq(portal.balance(), mint);
        vm.assertEq(token.balanceOf(alice), 1000 ether - mint);
    }

    function test_depositTransaction_mintsNothing() public {
        vm.recordLogs();
        vm.prank(alice, alice);
        portal.depositTransaction(address(0), 5, 100_000, true, hex"6001");
        bytes memory opaqueData = abi.decode(onlyLog(address(portal)).data, (bytes));
        vm.assertEq(opaqueData, abi.encodePacked(uint256(0), uint256(5), uint64(100_000), true, hex"6001"));
    }

    function test_depositTransaction_refusesEther() public {
        vm.deal(alice, 1);
        vm.prank(alice, alice);
        vm.expectRevert(IOptimismPortal.OptimismPortal_NotAllowedOnCGTMode.selector);
        portal.depositTransaction{value: 1}(alice, 0, 21_000, false, "");
    }

    function test_depositERC20Transaction_needsAllowance() public {
        vm.prank(makeAddr("bob"));
        vm.expectRevert(
            abi.encodeWithSignature(
                "ERC20InsufficientAllowance(address,uint256,uint256)", address(portal), uint256(0), uint256(1)
            )
        );
        portal.depositERC20Transaction(alice, 1, 1, 21_000, false, "");
    }

    function test_deposit_aliasesContracts() public {
        vm.recordLogs();
        portal.depositTransaction(alice, 0, 21_000, false, "");
        address from = address(uint160(uint256(onlyLog(address(portal)).topics[1])));
        vm.assertEq(from, AddressAliasHelper.applyL1ToL2Alias(address(this)));
        vm.assertEq(AddressAliasHelper.undoL1ToL2Alias(from), address(this));
    }

    function test_deposit_doesNotAliasDelegatedAccounts() public {
        vm.etch(alice, abi.encodePacked(hex"ef0100", address(this)));
        vm.recordLogs();
        vm.prank(alice, makeAddr("bundler"));
        portal.depositTransaction(alice, 0, 21_000, false, "");
        vm.assertEq(onlyLog(address(portal)).topics[1], bytes32(uint256(uint160(alice))));
    }

    function test_deposit_aliasesContractsOfTheSameLength() public {
        vm.etch(alice, abi.encodePacked(hex"fe0100", address(this)));
        vm.recordLogs();
        vm.prank(alice, makeAddr("bundler"));
        portal.depositTransaction(alice, 0, 21_000, false, "");
        address from = address(uint160(uint256(onlyLog(address(portal)).topics[1])));
        vm.assertEq(from, AddressAliasHelper.applyL1ToL2Alias(alice));
    }

    function test_deposit_refusesCreationWithTarget() public {
        vm.expectRevert(IOptimismPortal.OptimismPortal_BadTarget.selector);
        portal.depositTransaction(alice, 0, 100_000, true, "");
    }

    function test_deposit_boundsData() public {
        portal.depositTransaction(alice, 0, 21_000 + 40 * 120_000, false, new bytes(120_000));
        vm.expectRevert(IOptimismPortal.OptimismPortal_CalldataTooLarge.selector);
        portal.depositTransaction(alice, 0, 5_000_000, false, new bytes(120_001));
    }

    function test_deposit_needsGasForItsData() public {
        portal.depositTransaction(alice, 0, 21_000 + 40 * 3, false, new bytes(3));
        vm.expectRevert(IOptimismPortal.OptimismPortal_GasLimitTooLow.selector);
        portal.depositTransaction(alice, 0, 21_000 + 40 * 3 - 1, false, new bytes(3));
    }

    function test_metering_boundsABlock() public {
        portal.depositTransaction(alice, 0, 20_000_000, false, "");
        vm.expectRevert(ResourceMetering.ResourceMetering_OutOfGas.selector);
        portal.depositTransaction(alice, 0, 21_000, false, "");
        vm.roll(block.number + 1);
        portal.depositTransaction(alice, 0, 21_000, false, "");
    }

    function test_metering_priceFollowsDemand() public {
        portal.depositTransaction(alice, 0, 20_000_000, false, "");
        vm.roll(block.number + 1);
        portal.depositTransaction(alice, 0, 21_000, false, "");
        (uint128 price,,) = portal.params();
        // Ten times the target was bought: nine eighths more.
        vm.assertEq(price, 2.125 gwei);

        vm.roll(block.number + 3);
        portal.depositTransaction(alice, 0, 21_000, false, "");
        (price,,) = portal.params();
        vm.assertLt(price, uint256(2.125 gwei) * 7 / 8 * 7 / 8);
        vm.assertGt(price, uint256(2.125 gwei) * 7 / 8 * 7 / 8 * 7 / 8);

        vm.roll(block.number + 1_000_000);
        portal.depositTransaction(alice, 0, 21_000, false, "");
        (price,,) = portal.params();
        vm.assertEq(price, 1 gwei);
    }

    function test_metering_burnsL1Gas() public {
        vm.fee(2 gwei);
        uint256 before = gasleft();
        portal.depositTransaction(alice, 0, 10_000_000, false, "");
        uint256 used = before - gasleft();
        // 10,000,000 at 1 gwei, paid in gas that costs 2 gwei.
        vm.assertGe(used, 5_000_000);
        vm.assertLt(used, 5_010_000);
    }
}
