// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IInferenceLedger} from "../../src/interfaces/IInferenceLedger.sol";
import {Predeploys} from "../../src/libraries/Predeploys.sol";
import {LedgerTest} from "../utils/LedgerTest.sol";

/// @notice Everything that people can do with a ledger, in any order.
contract LedgerHandler is LedgerTest {
    uint256 public deposited;
    uint256 public paidOut;
    uint256 public settled;
    uint256 public refusedReplays;
    bool public settledTwice;

    mapping(uint256 nonce => IInferenceLedger.Settlement) internal _settlements;
    uint256[] internal _nonces;

    function initialize() external {
        _setUpLedger();
    }

    function deposit(uint256 amount) external {
        amount = bound(amount, 0, 20 ether);
        fund(payer, amount);
        deposited += amount;
    }

    function settle(uint256 tokensIn, uint256 tokensOut, uint256 people, uint256 seed) external {
        uint256 count = bound(people, 0, 6);
        address[] memory contributors = new address[](count);
        int64[] memory influences = new int64[](count);
        for (uint256 i; i < count; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            contributors[i] = contributorAt(random % CONTRIBUTORS);
            influences[i] = int64(uint64(random >> 100));
        }
        IInferenceLedger.Settlement memory settlement = settlementOf(
            authorization(seed),
            uint32(bound(tokensIn, 0, 4000)),
            uint32(bound(tokensOut, 0, 4000)),
            contributors,
            influences
        );
        uint256 before = _contributorsBalance();
        vm.prank(operator);
        try ledger.settle(batchOf(settlement)) {
            ++settled;
            paidOut += _contributorsBalance() - before;
            _nonces.push(seed);
            _settlements[seed] = settlement;
        } catch {}
    }

    /// @dev A settled answer is offered again.
    function replay(uint256 which) external {
        if (_nonces.length == 0) return;
        uint256 nonce = _nonces[which % _nonces.length];
        vm.prank(operator);
        try ledger.settle(batchOf(_settlements[nonce])) {
            settledTwice = true;
        } catch {
            ++refusedReplays;
        }
    }

    function requestWithdrawal(uint256 amount) external {
        amount = bound(amount, 0, ledger.balanceOf(payer));
        vm.prank(payer);
        ledger.requestWithdrawal(amount);
    }

    function withdraw(uint256 wait) external {
        vm.warp(block.timestamp + bound(wait, 0, 2 * DELAY));
        uint256 before = payer.balance;
        vm.prank(payer);
        try ledger.withdraw(payer) {
            paidOut += payer.balance - before;
        } catch {}
    }

    function claim(uint256 who, uint256 amount) external {
        address[3] memory accounts = [developer, Predeploys.STAKE_MANAGER, Predeploys.TREASURY];
        address account = accounts[who % 3];
        amount = bound(amount, 0, ledger.creditOf(account));
        address to = makeAddr("purse");
        vm.prank(account);
        ledger.claim(to, amount);
        paidOut += amount;
    }

    function invalidate(uint256 nonce) external {
        vm.prank(payer);
        try ledger.invalidateNonce(nonce) {} catch {}
    }

    uint256 internal constant CONTRIBUTORS = 4;

    function contributorAt(uint256 index) public pure returns (address) {
        return address(uint160(0xc0000000) + uint160(index));
    }

    function _contributorsBalance() internal view returns (uint256 sum) {
        for (uint256 i; i < CONTRIBUTORS; ++i) {
            sum += contributorAt(i).balance;
        }
    }

    function liabilities() external view returns (uint256) {
        return ledger.balanceOf(payer) + ledger.creditOf(developer) + ledger.creditOf(Predeploys.STAKE_MANAGER)
            + ledger.creditOf(Predeploys.TREASURY);
    }

    function assets() external view returns (uint256) {
        return address(ledger).balance;
    }
}

contract InferenceLedgerInvariantTest is LedgerTest {
    LedgerHandler internal handler;

    function setUp() public {
        handler = new LedgerHandler();
        handler.initialize();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function excludeSelectors() external view returns (FuzzSelector[] memory excluded) {
        excluded = new FuzzSelector[](1);
        bytes4[] memory selectors = new bytes4[](1);
        selectors[0] = LedgerHandler.initialize.selector;
        excluded[0] = FuzzSelector(address(handler), selectors);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// @dev Everything owed is there, and no wei appears or vanishes.
    function invariant_moneyIsConserved() external view {
        vm.assertEq(handler.liabilities(), handler.assets());
        vm.assertEq(handler.assets() + handler.paidOut(), handler.deposited());
    }

    function invariant_nothingIsSettledTwice() external view {
        vm.assertFalse(handler.settledTwice());
    }

    /// @dev The invariants would hold of a handler that never gets anywhere.
    function test_theHandlerGetsSomewhere() external {
        handler.deposit(20 ether);
        handler.settle(800, 1200, 3, 1);
        handler.replay(0);
        handler.requestWithdrawal(5 ether);
        handler.withdraw(2 * DELAY);
        handler.claim(0, type(uint256).max);
        vm.assertEq(handler.settled(), 1);
        vm.assertEq(handler.refusedReplays(), 1);
        vm.assertGt(handler.paidOut(), 5 ether);
        vm.assertLt(handler.liabilities(), 15 ether);
    }
}
