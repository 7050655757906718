// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IInferenceLedger} from "../../src/interfaces/IInferenceLedger.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Predeploys} from "../../src/libraries/Predeploys.sol";
import {ISettleErrors} from "../SettleReference.sol";
import {LedgerTest} from "../utils/LedgerTest.sol";
import {Vm} from "../utils/Test.sol";

/// @notice A payer with code that accepts one signature.
contract Wallet {
    bytes32 internal immutable DIGEST;

    constructor(bytes32 digest) {
        DIGEST = digest;
    }

    function isValidSignature(bytes32 digest, bytes calldata signature) external view returns (bytes4) {
        return digest == DIGEST && signature.length == 3 ? this.isValidSignature.selector : bytes4(0);
    }
}

/// @notice Tries to take its money twice.
contract Thief {
    function ask(IInferenceLedger ledger, uint256 amount) external {
        ledger.requestWithdrawal(amount);
    }

    function take(IInferenceLedger ledger) external {
        ledger.withdraw(address(this));
    }

    receive() external payable {
        IInferenceLedger(msg.sender).withdraw(address(this));
    }
}

contract InferenceLedgerSettleTest is LedgerTest {
    function setUp() public {
        _setUpLedger();
        fund(payer, 10 ether);
    }

    function test_settle_goldenCase() public {
        IInferenceLedger.Settlement memory settlement = goldenSettlement(7);
        bytes32 receiptHash = ledger.receiptDigest(settlement.receipt);
        vm.expectEmit(address(ledger));
        emit IInferenceLedger.Settled(
            settlement.receipt.requestId,
            payer,
            modelId,
            receiptHash,
            1.14 ether,
            0.448 ether,
            0.064 ether,
            0.128 ether,
            0.5 ether,
            0
        );
        settle(settlement);

        vm.assertEq(ledger.balanceOf(payer), 10 ether - 1.14 ether);
        vm.assertEq(ledger.creditOf(developer), 0.448 ether);
        vm.assertEq(ledger.creditOf(Predeploys.STAKE_MANAGER), 0.064 ether);
        vm.assertEq(ledger.creditOf(Predeploys.TREASURY), 0.5 ether);
        vm.assertEq(carol.balance, 0.032 ether);
        vm.assertEq(dave.balance, 0.096 ether);
        vm.assertEq(makeAddr("harmful").balance, 0);
        vm.assertEq(address(ledger).balance, 10 ether - 0.128 ether);
        vm.assertTrue(ledger.isNonceUsed(payer, 7));
        vm.assertEq(ledger.receiptHashOf(settlement.receipt.requestId), receiptHash);
    }

    function test_settle_withoutPositiveInfluenceThePoolIsTheTreasurys() public {
        int64[] memory influences = new int64[](1);
        address[] memory contributors = new address[](1);
        contributors[0] = carol;
        settle(settlementOf(authorization(1), 800, 1200, contributors, influences));
        vm.assertEq(carol.balance, 0);
        vm.assertEq(ledger.creditOf(Predeploys.TREASURY), 0.628 ether);
        settle(settlementOf(authorization(2), 800, 1200, new address[](0), new int64[](0)));
        vm.assertEq(ledger.creditOf(Predeploys.TREASURY), 1.256 ether);
    }

    function test_settle_sumsRepeatedContributorsInAnyOrder() public {
        address[] memory contributors = new address[](4);
        int64[] memory influences = new int64[](4);
        (contributors[0], influences[0]) = (dave, 700);
        (contributors[1], influences[1]) = (carol, 100);
        (contributors[2], influences[2]) = (dave, 50);
        (contributors[3], influences[3]) = (carol, 150);
        IInferenceLedger.Settlement[] memory batch = new IInferenceLedger.Settlement[](2);
        batch[0] = settlementOf(authorization(1), 800, 1200, contributors, influences);
        batch[1] = goldenSettlement(2);
        vm.prank(operator);
        ledger.settle(batch);
        vm.assertEq(carol.balance, 0.064 ether);
        vm.assertEq(dave.balance, 0.192 ether);
        vm.assertEq(ledger.balanceOf(payer), 10 ether - 2.28 ether);
        vm.assertEq(ledger.creditOf(developer), 0.896 ether);
    }

    /// @dev The table in transient storage must be gone after each batch: both calls are in one transaction here.
    function test_settle_leavesNothingBehindWithinATransaction() public {
        settle(goldenSettlement(1));
        address[] memory contributors = new address[](2);
        int64[] memory influences = new int64[](2);
        (contributors[0], influences[0]) = (makeAddr("first"), 1);
        (contributors[1], influences[1]) = (carol, 1);
        settle(settlementOf(authorization(2), 800, 1200, contributors, influences));
        vm.assertEq(carol.balance, 0.032 ether + 0.064 ether);
        vm.assertEq(makeAddr("first").balance, 0.064 ether);
    }

    function test_settle_severalModelsInABatch() public {
        IModelRegistry.FeeSchedule memory fees = IModelRegistry.FeeSchedule(1 ether, 0, 1, 1000, 10_000, 0, 0);
        vm.prank(dave);
        bytes32 other = models.register("backbone", "other", "root", fees, "");
        IInferenceLedger.Authorization memory second = authorization(2);
        second.modelId = other;
        second.scheduleId = models.scheduleId(other);
        IInferenceLedger.Settlement[] memory batch = new IInferenceLedger.Settlement[](3);
        batch[0] = goldenSettlement(1);
        batch[1] = settlementOf(second, 1000, 5, new address[](0), new int64[](0));
        batch[2] = goldenSettlement(3);
        vm.prank(operator);
        ledger.settle(batch);
        // 1 OPEN of usage, a tenth on top for the platform.
        vm.assertEq(ledger.creditOf(dave), 1 ether);
        vm.assertEq(ledger.creditOf(developer), 0.896 ether);
        vm.assertEq(ledger.creditOf(Predeploys.TREASURY), 1.1 ether);
    }

    function test_settle_acceptsThePriceThatWasSignedFor() public {
        IInferenceLedger.Settlement memory early = goldenSettlement(1);
        IInferenceLedger.Settlement memory late = goldenSettlement(2);
        IModelRegistry.FeeSchedule memory dearer = goldenFees();
        dearer.rateOut = 40 ether;
        vm.prank(developer);
        models.setFeeSchedule(modelId, dearer);
        settle(early);
        vm.assertEq(ledger.balanceOf(payer), 10 ether - 1.14 ether);

        vm.warp(block.timestamp + models.SCHEDULE_GRACE());
        late.authorization.deadline = uint64(block.timestamp);
        signAll(late);
        _refused(
            late,
            abi.encodeWithSelector(IInferenceLedger.ScheduleChanged.selector, scheduleId, models.scheduleId(modelId))
        );
    }

    function test_settle_neverTwice() public {
        IInferenceLedger.Settlement memory settlement = goldenSettlement(5);
        settle(settlement);
        bytes memory used = abi.encodeWithSelector(IInferenceLedger.NonceAlreadyUsed.selector, payer, 5);
        _refused(settlement, used);

        IInferenceLedger.Settlement[] memory batch = new IInferenceLedger.Settlement[](2);
        batch[0] = goldenSettlement(6);
        batch[1] = batch[0];
        vm.prank(operator);
        vm.expectRevert(abi.encodeWithSelector(IInferenceLedger.NonceAlreadyUsed.selector, payer, 6));
        ledger.settle(batch);
    }

    function test_settle_neverAnInvalidatedNonce() public {
        vm.prank(payer);
        vm.expectEmit(address(ledger));
        emit IInferenceLedger.NonceInvalidated(payer, 5);
        ledger.invalidateNonce(5);
        _refused(goldenSettlement(5), abi.encodeWithSelector(IInferenceLedger.NonceAlreadyUsed.selector, payer, 5));
        // Its neighbours in the same word are free.
        settle(goldenSettlement(4));
        settle(goldenSettlement(6));
    }

    function test_settle_notByAStranger() public {
        IInferenceLedger.Settlement[] memory batch = batchOf(goldenSettlement(1));
        vm.expectRevert(abi.encodeWithSelector(IInferenceLedger.NotOperator.selector, address(this)));
        ledger.settle(batch);
    }

    function test_settle_notByARemovedOperator() public {
        vm.prank(owner);
        vm.expectEmit(address(ledger));
        emit IInferenceLedger.OperatorRemoved(operator);
        ledger.removeOperator(operator);
        _refused(goldenSettlement(1), abi.encodeWithSelector(IInferenceLedger.NotOperator.selector, operator));
    }

    function test_settle_notByAnotherOperator() public {
        address other = makeAddr("other operator");
        vm.prank(owner);
        ledger.registerOperator(other);
        IInferenceLedger.Settlement[] memory batch = batchOf(goldenSettlement(1));
        vm.prank(other);
        vm.expectRevert(abi.encodeWithSelector(IInferenceLedger.WrongOperator.selector, operator, other));
        ledger.settle(batch);
    }

    function test_settle_notAboveTheCeiling() public {
        IInferenceLedger.Authorization memory tight = authorization(1);
        tight.maxFee = 1.14 ether - 1;
        IInferenceLedger.Settlement memory golden = goldenSettlement(1);
        _refused(
            settlementOf(tight, 800, 1200, golden.contributors, golden.influences),
            abi.encodeWithSelector(IInferenceLedger.FeeAboveCeiling.selector, 1.14 ether, 1.14 ether - 1)
        );
        tight.maxFee = 1.14 ether;
        settle(settlementOf(tight, 800, 1200, golden.contributors, golden.influences));
    }

    function test_settle_notAfterTheDeadline() public {
        IInferenceLedger.Settlement memory settlement = goldenSettlement(1);
        vm.warp(settlement.authorization.deadline + 1);
        _refused(
            settlement,
            abi.encodeWithSelector(IInferenceLedger.AuthorizationExpired.selector, settlement.authorization.deadline)
        );
        vm.warp(settlement.authorization.deadline);
        settle(settlement);
    }

    function test_settle_notWithoutEscrow() public {
        IInferenceLedger.Settlement[] memory batch = new IInferenceLedger.Settlement[](9);
        for (uint256 i; i < 9; ++i) {
            batch[i] = goldenSettlement(i);
        }
        vm.prank(operator);
        vm.expectRevert(
            abi.encodeWithSelector(
                IInferenceLedger.InsufficientEscrow.selector, payer, 10 ether - 8 * 1.14 ether, 1.14 ether
            )
        );
        ledger.settle(batch);
        // All or nothing.
        vm.assertEq(ledger.balanceOf(payer), 10 ether);
        vm.assertEq(carol.balance, 0);
        vm.assertFalse(ledger.isNonceUsed(payer, 0));
    }

    function test_settle_notForAnUnknownModel() public {
        IInferenceLedger.Authorization memory unknown = authorization(1);
        unknown.modelId = "unknown";
        _refused(
            settlementOf(unknown, 1, 1, new address[](0), new int64[](0)),
            abi.encodeWithSelector(IInferenceLedger.UnknownModel.selector, bytes32("unknown"))
        );
    }

    function test_settle_notWhatThePayerDidNotSign() public {
        IInferenceLedger.Settlement memory settlement = goldenSettlement(1);
        bytes memory invalid = abi.encodeWithSelector(IInferenceLedger.InvalidPayerSignature.selector, payer);
        settlement.authorization.maxFee += 1;
        _refused(settlement, invalid);
        settlement = goldenSettlement(1);
        settlement.payerSignature = sign(OPERATOR_KEY, ledger.authorizationDigest(settlement.authorization));
        _refused(settlement, invalid);
        settlement.payerSignature = "";
        _refused(settlement, invalid);
        settlement.payerSignature = new bytes(65);
        _refused(settlement, invalid);
    }

    function test_settle_notWithAMalleableSignature() public {
        IInferenceLedger.Settlement memory settlement = goldenSettlement(1);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, ledger.authorizationDigest(settlement.authorization));
        uint256 n = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        settlement.payerSignature = abi.encodePacked(r, n - uint256(s), v == 27 ? 28 : 27);
        settlement.payerSignature[64] = v == 27 ? bytes1(uint8(28)) : bytes1(uint8(27));
        _refused(settlement, abi.encodeWithSelector(IInferenceLedger.InvalidPayerSignature.selector, payer));
    }

    function test_settle_notWhatTheOperatorDidNotSign() public {
        IInferenceLedger.Settlement memory settlement = goldenSettlement(1);
        settlement.receipt.tokensOut -= 1;
        _refused(settlement, abi.encodeWithSelector(IInferenceLedger.InvalidOperatorSignature.selector, operator));
    }

    function testFuzz_settle_receiptBelongsToAuthorization(uint256 field) public {
        field = bound(field, 0, 8);
        IInferenceLedger.Settlement memory settlement = goldenSettlement(1);
        IInferenceLedger.Receipt memory receipt = settlement.receipt;
        if (field == 0) receipt.requestId = "other";
        if (field == 1) receipt.modelId = "other";
        if (field == 2) receipt.scheduleId = "other";
        if (field == 3) receipt.datasetRoot = "other";
        if (field == 4) receipt.payer = carol;
        if (field == 5) receipt.nonce = 2;
        if (field == 6) receipt.influencesHash = "other";
        if (field == 7) settlement.influences = new int64[](2);
        if (field == 8) settlement.contributors[0] = carol;
        signAll(settlement);
        _refused(settlement, abi.encodeWithSelector(IInferenceLedger.ReceiptMismatch.selector, receipt.requestId));
    }

    function test_settle_acceptsContractPayers() public {
        IInferenceLedger.Authorization memory byWallet = authorization(1);
        address wallet = makeAddr("wallet");
        byWallet.payer = wallet;
        deployAt(wallet, abi.encodePacked(type(Wallet).creationCode, abi.encode(ledger.authorizationDigest(byWallet))));
        fund(wallet, 2 ether);
        IInferenceLedger.Settlement memory golden = goldenSettlement(1);
        IInferenceLedger.Settlement memory settlement =
            settlementOf(byWallet, 800, 1200, golden.contributors, golden.influences);
        settlement.payerSignature = "no";
        _refused(settlement, abi.encodeWithSelector(IInferenceLedger.InvalidPayerSignature.selector, wallet));
        settlement.payerSignature = "yes";
        settle(settlement);
        vm.assertEq(ledger.balanceOf(wallet), 2 ether - 1.14 ether);
    }

    function test_settle_refusesEmptyBatches() public {
        vm.prank(operator);
        vm.expectRevert(IInferenceLedger.InvalidBatchSize.selector);
        ledger.settle(new IInferenceLedger.Settlement[](0));
    }

    function test_settle_passesThePrecompilesErrorsOn() public {
        address[] memory contributors = new address[](1);
        int64[] memory influences = new int64[](1);
        influences[0] = 1;
        // The zero address cannot be paid.
        _refused(
            settlementOf(authorization(1), 1, 1, contributors, influences),
            abi.encodeWithSelector(ISettleErrors.SettleInvalidInput.selector, 5)
        );
        // A fee beyond 128 bits.
        IModelRegistry.FeeSchedule memory dear = IModelRegistry.FeeSchedule(type(uint128).max, 0, 0, 0, 10_000, 0, 0);
        IInferenceLedger.Authorization memory much = authorization(2);
        much.modelId = models.register("backbone", "dear", "root", dear, "");
        much.scheduleId = models.scheduleId(much.modelId);
        _refused(
            settlementOf(much, 1001, 0, new address[](0), new int64[](0)),
            abi.encodeWithSelector(ISettleErrors.SettleInvalidInput.selector, 9)
        );
    }

    function test_settle_noticesThatThereIsNoPrecompile() public {
        vm.etch(Predeploys.SETTLE, "");
        _refused(goldenSettlement(1), abi.encodeWithSelector(IInferenceLedger.SettleUnavailable.selector));
    }

    function test_settle_aContributionOfTheLedgerItselfStaysInIt() public {
        address[] memory contributors = new address[](1);
        int64[] memory influences = new int64[](1);
        (contributors[0], influences[0]) = (address(ledger), 1);
        settle(settlementOf(authorization(1), 800, 1200, contributors, influences));
        vm.assertEq(address(ledger).balance, 10 ether);
        vm.assertEq(ledger.balanceOf(payer), 10 ether - 1.14 ether);
    }

    function testFuzz_settle_conserves(uint32 tokensIn, uint32 tokensOut, uint8 people, uint256 seed) public {
        tokensIn = uint32(bound(tokensIn, 0, 20_000));
        tokensOut = uint32(bound(tokensOut, 0, 20_000));
        people = uint8(bound(people, 0, 20));
        address[] memory contributors = new address[](people);
        int64[] memory influences = new int64[](people);
        for (uint256 i; i < people; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            contributors[i] = address(uint160(0x100000 + random % 7));
            influences[i] = int64(uint64(random >> 128));
        }
        IInferenceLedger.Authorization memory much = authorization(1);
        much.maxFee = 100 ether;
        fund(payer, 90 ether);
        settle(settlementOf(much, tokensIn, tokensOut, contributors, influences));

        uint256 paid;
        for (uint256 i; i < 7; ++i) {
            paid += address(uint160(0x100000 + i)).balance;
        }
        uint256 credits = ledger.creditOf(developer) + ledger.creditOf(Predeploys.STAKE_MANAGER)
            + ledger.creditOf(Predeploys.TREASURY);
        vm.assertEq(ledger.balanceOf(payer) + credits + paid, 100 ether);
        vm.assertEq(address(ledger).balance + paid, 100 ether);
    }

    function _refused(IInferenceLedger.Settlement memory settlement, bytes memory reason) internal {
        IInferenceLedger.Settlement[] memory batch = batchOf(settlement);
        vm.prank(operator);
        vm.expectRevert(reason);
        ledger.settle(batch);
    }
}

contract InferenceLedgerEscrowTest is LedgerTest {
    function setUp() public {
        _setUpLedger();
    }

    receive() external payable {}

    function testFuzz_deposit_and_withdraw(uint128 amount, uint128 asked) public {
        amount = uint128(bound(amount, 1, type(uint128).max));
        asked = uint128(bound(asked, 1, amount));
        vm.deal(payer, amount);
        vm.prank(payer);
        vm.expectEmit(address(ledger));
        emit IInferenceLedger.Deposited(payer, amount);
        ledger.deposit{value: amount}();

        vm.prank(payer);
        vm.expectEmit(address(ledger));
        emit IInferenceLedger.WithdrawalRequested(payer, asked, uint64(block.timestamp + DELAY));
        ledger.requestWithdrawal(asked);
        vm.assertEq(ledger.spendableOf(payer), amount - asked);
        vm.assertEq(ledger.balanceOf(payer), amount);

        vm.warp(block.timestamp + DELAY);
        vm.prank(payer);
        vm.expectEmit(address(ledger));
        emit IInferenceLedger.Withdrawn(payer, carol, asked);
        ledger.withdraw(carol);
        vm.assertEq(carol.balance, asked);
        vm.assertEq(ledger.balanceOf(payer), amount - asked);
        vm.assertEq(ledger.spendableOf(payer), amount - asked);
        vm.prank(payer);
        vm.expectRevert(IInferenceLedger.NoWithdrawalRequested.selector);
        ledger.withdraw(carol);
    }

    function test_withdraw_waits() public {
        fund(payer, 1 ether);
        vm.prank(payer);
        ledger.requestWithdrawal(1 ether);
        vm.warp(block.timestamp + DELAY - 1);
        vm.prank(payer);
        vm.expectRevert(
            abi.encodeWithSelector(IInferenceLedger.WithdrawalNotReady.selector, uint64(block.timestamp + 1))
        );
        ledger.withdraw(payer);
        // Asking again starts the delay anew.
        vm.prank(payer);
        ledger.requestWithdrawal(0.5 ether);
        vm.warp(block.timestamp + DELAY - 1);
        vm.prank(payer);
        vm.expectPartialRevert(IInferenceLedger.WithdrawalNotReady.selector);
        ledger.withdraw(payer);
    }

    function test_requestWithdrawal_zeroCancels() public {
        fund(payer, 1 ether);
        vm.prank(payer);
        ledger.requestWithdrawal(1 ether);
        vm.prank(payer);
        ledger.requestWithdrawal(0);
        vm.assertEq(ledger.spendableOf(payer), 1 ether);
        vm.warp(block.timestamp + DELAY);
        vm.prank(payer);
        vm.expectRevert(IInferenceLedger.NoWithdrawalRequested.selector);
        ledger.withdraw(payer);
    }

    function test_requestWithdrawal_isBoundedByTheEscrow() public {
        fund(payer, 1 ether);
        vm.prank(payer);
        vm.expectRevert(
            abi.encodeWithSelector(IInferenceLedger.InsufficientEscrow.selector, payer, 1 ether, 1 ether + 1)
        );
        ledger.requestWithdrawal(1 ether + 1);
    }

    /// @dev The delay protects the operator: what waits can still be charged, and what is left is paid out.
    function test_withdraw_paysWhatChargesLeft() public {
        fund(payer, 1.5 ether);
        vm.prank(payer);
        ledger.requestWithdrawal(1.5 ether);
        vm.assertEq(ledger.spendableOf(payer), 0);
        settle(goldenSettlement(1));
        vm.assertEq(ledger.spendableOf(payer), 0);
        (uint256 amount,) = ledger.withdrawalOf(payer);
        vm.assertEq(amount, 0.36 ether);
        vm.warp(block.timestamp + DELAY);
        vm.prank(payer);
        ledger.withdraw(payer);
        vm.assertEq(payer.balance, 0.36 ether);
        vm.assertEq(ledger.balanceOf(payer), 0);
    }

    function test_withdraw_isNotReentrant() public {
        Thief thief = new Thief();
        fund(address(thief), 1 ether);
        fund(payer, 5 ether);
        thief.ask(ledger, 1 ether);
        vm.warp(block.timestamp + DELAY);
        vm.expectRevert(abi.encodeWithSelector(IInferenceLedger.TransferFailed.selector, address(thief)));
        thief.take(ledger);
        vm.assertEq(address(thief).balance, 0);
    }

    function test_claim_paysCreditAtOnce() public {
        fund(payer, 2 ether);
        settle(goldenSettlement(1));
        vm.prank(developer);
        vm.expectRevert(
            abi.encodeWithSelector(
                IInferenceLedger.InsufficientCredit.selector, developer, 0.448 ether, 0.448 ether + 1
            )
        );
        ledger.claim(developer, 0.448 ether + 1);
        vm.prank(developer);
        ledger.claim(developer, 0.4 ether);
        vm.assertEq(developer.balance, 0.4 ether);
        vm.assertEq(ledger.creditOf(developer), 0.048 ether);
        // Credit is no escrow.
        vm.assertEq(ledger.balanceOf(developer), 0);
    }

    function test_money_comesInByDepositOnly() public {
        vm.deal(address(this), 1);
        (bool success,) = address(ledger).call{value: 1}("");
        vm.assertFalse(success);
    }

    function test_operators_areTheOwners() public {
        bytes memory stranger = abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", address(this));
        vm.expectRevert(stranger);
        ledger.registerOperator(carol);
        vm.expectRevert(stranger);
        ledger.removeOperator(operator);
        vm.prank(owner);
        vm.expectEmit(address(ledger));
        emit IInferenceLedger.OperatorRegistered(carol);
        ledger.registerOperator(carol);
        vm.assertTrue(ledger.isOperator(carol) && ledger.isOperator(operator));
    }

    function testFuzz_nonces_areIndependent(uint256 nonce, uint256 other) public {
        vm.assume(nonce != other);
        vm.prank(payer);
        ledger.invalidateNonce(nonce);
        vm.assertTrue(ledger.isNonceUsed(payer, nonce));
        vm.assertFalse(ledger.isNonceUsed(payer, other));
        vm.assertFalse(ledger.isNonceUsed(carol, nonce));
        vm.prank(payer);
        vm.expectRevert(abi.encodeWithSelector(IInferenceLedger.NonceAlreadyUsed.selector, payer, nonce));
        ledger.invalidateNonce(nonce);
    }

    function test_domainSeparator_isTheSpecifications() public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("OpenLedger"),
                keccak256("1"),
                uint256(20_300),
                0x4F4C000000000000000000000000000000000001
            )
        );
        vm.assertEq(ledger.domainSeparator(), domain);
    }
}
