// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {BaseFeeVault} from "../../src/L2/FeeVault.sol";
import {GasPriceOracle} from "../../src/L2/GasPriceOracle.sol";
import {L1Block} from "../../src/L2/L1Block.sol";
import {L2ToL1MessagePasser} from "../../src/L2/L2ToL1MessagePasser.sol";
import {WrappedOpen} from "../../src/L2/WrappedOpen.sol";
import {IFeeVault} from "../../src/interfaces/IFeeVault.sol";
import {IL1Block} from "../../src/interfaces/IL1Block.sol";
import {IL2ToL1MessagePasser} from "../../src/interfaces/IL2ToL1MessagePasser.sol";
import {Predeploys} from "../../src/libraries/Predeploys.sol";
import {Multicall3} from "../../src/periphery/Multicall3.sol";
import {Test, Vm} from "../utils/Test.sol";

/// @notice Sends the L1 attributes as the protocol does.
abstract contract L1Attributes is Test {
    L1Block internal constant l1Block = L1Block(Predeploys.L1_BLOCK);

    struct Attributes {
        uint32 baseFeeScalar;
        uint32 blobBaseFeeScalar;
        uint64 sequenceNumber;
        uint64 timestamp;
        uint64 number;
        uint256 basefee;
        uint256 blobBaseFee;
        bytes32 hash;
        bytes32 batcherHash;
        uint32 operatorFeeScalar;
        uint64 operatorFeeConstant;
        uint16 daFootprintGasScalar;
    }

    function _set(Attributes memory a) internal returns (bool success) {
        bytes memory head = abi.encodePacked(
            bytes4(0x3db6be2b), a.baseFeeScalar, a.blobBaseFeeScalar, a.sequenceNumber, a.timestamp, a.number
        );
        bytes memory tail = abi.encodePacked(
            a.basefee,
            a.blobBaseFee,
            a.hash,
            a.batcherHash,
            a.operatorFeeScalar,
            a.operatorFeeConstant,
            a.daFootprintGasScalar
        );
        vm.prank(l1Block.DEPOSITOR_ACCOUNT());
        (success,) = address(l1Block).call(bytes.concat(head, tail));
    }
}

contract L1BlockTest is L1Attributes {
    function setUp() public {
        deployAt(address(l1Block), type(L1Block).creationCode);
    }

    function testFuzz_setL1BlockValuesJovian_roundTrips(Attributes calldata a) public {
        vm.assertTrue(_set(a));
        vm.assertEq(l1Block.number(), a.number);
        vm.assertEq(l1Block.timestamp(), a.timestamp);
        vm.assertEq(l1Block.basefee(), a.basefee);
        vm.assertEq(l1Block.hash(), a.hash);
        vm.assertEq(l1Block.sequenceNumber(), a.sequenceNumber);
        vm.assertEq(l1Block.batcherHash(), a.batcherHash);
        vm.assertEq(l1Block.baseFeeScalar(), a.baseFeeScalar);
        vm.assertEq(l1Block.blobBaseFeeScalar(), a.blobBaseFeeScalar);
        vm.assertEq(l1Block.blobBaseFee(), a.blobBaseFee);
        vm.assertEq(l1Block.operatorFeeScalar(), a.operatorFeeScalar);
        vm.assertEq(l1Block.operatorFeeConstant(), a.operatorFeeConstant);
        vm.assertEq(l1Block.daFootprintGasScalar(), a.daFootprintGasScalar);
    }

    /// @dev The execution engine reads these slots itself.
    function testFuzz_slots_areWhereTheEngineLooks(Attributes calldata a) public {
        vm.assertTrue(_set(a));
        vm.assertEq(vm.load(address(l1Block), bytes32(uint256(1))), bytes32(a.basefee));
        vm.assertEq(
            vm.load(address(l1Block), bytes32(uint256(3))),
            bytes32(abi.encodePacked(bytes16(0), a.baseFeeScalar, a.blobBaseFeeScalar, a.sequenceNumber))
        );
        vm.assertEq(vm.load(address(l1Block), bytes32(uint256(5))), bytes32(0));
        vm.assertEq(vm.load(address(l1Block), bytes32(uint256(6))), bytes32(0));
        vm.assertEq(vm.load(address(l1Block), bytes32(uint256(7))), bytes32(a.blobBaseFee));
        vm.assertEq(
            vm.load(address(l1Block), bytes32(uint256(8))),
            bytes32(abi.encodePacked(bytes18(0), a.daFootprintGasScalar, a.operatorFeeScalar, a.operatorFeeConstant))
        );
    }

    function test_setL1BlockValuesJovian_hasTheProtocolsSelector() public pure {
        vm.assertEq(bytes32(IL1Block.setL1BlockValuesJovian.selector), bytes32(bytes4(0x3db6be2b)));
    }

    function test_setL1BlockValuesJovian_isTheProtocolsAlone() public {
        vm.expectRevert(IL1Block.NotDepositor.selector);
        l1Block.setL1BlockValuesJovian();
    }

    function test_gasToken_isOpen() public pure {
        vm.assertTrue(l1Block.isCustomGasToken());
        vm.assertEq(l1Block.gasPayingTokenName(), "OpenLedger");
        vm.assertEq(l1Block.gasPayingTokenSymbol(), "OPEN");
    }
}

contract GasPriceOracleTest is L1Attributes {
    GasPriceOracle internal oracle;

    function setUp() public {
        deployAt(address(l1Block), type(L1Block).creationCode);
        oracle = new GasPriceOracle();
    }

    function test_fees_areZeroByDefault() public {
        Attributes memory a;
        a.basefee = 30 gwei;
        a.blobBaseFee = 1 gwei;
        vm.assertTrue(_set(a));
        vm.assertEq(oracle.getL1Fee(hex"02f8"), 0);
        vm.assertEq(oracle.getL1FeeUpperBound(10_000), 0);
        vm.assertEq(oracle.getOperatorFee(1_000_000), 0);
        vm.assertEq(oracle.l1BaseFee(), 30 gwei);
        vm.assertTrue(oracle.isJovian() && oracle.isIsthmus() && oracle.isFjord() && oracle.isEcotone());
    }

    function test_getL1Fee_isFjords() public {
        Attributes memory a;
        a.baseFeeScalar = 5227;
        a.blobBaseFeeScalar = 1_014_213;
        a.basefee = 1_055_991_687;
        a.blobBaseFee = 1;
        vm.assertTrue(_set(a));
        // Small transactions count as 100 bytes.
        uint256 price = 16 * uint256(5227) * 1_055_991_687 + 1_014_213;
        vm.assertEq(oracle.getL1Fee(""), 100e6 * price / 1e12);
        vm.assertEq(oracle.getL1GasUsed(""), 1600);

        bytes memory random = abi.encodePacked(new bytes(0));
        for (uint256 i; i < 20; ++i) {
            random = abi.encodePacked(random, keccak256(abi.encode(i)));
        }
        // What cannot be compressed grows by one byte in 32.
        uint256 size = 836_500 * uint256(640 + 20 + 68) - 42_585_600;
        vm.assertEq(oracle.getL1Fee(random), size * price / 1e12);
        vm.assertEq(oracle.getL1GasUsed(random), size * 16 / 1e6);
    }

    function testFuzz_getL1FeeUpperBound_holds(bytes calldata data) public {
        Attributes memory a;
        a.baseFeeScalar = 1e6;
        a.basefee = 1 gwei;
        vm.assertTrue(_set(a));
        vm.assertGe(oracle.getL1FeeUpperBound(data.length), oracle.getL1Fee(data));
    }

    function testFuzz_getOperatorFee_isJoviansAndSaturates(uint256 gasUsed, uint32 scalar, uint64 constant_) public {
        Attributes memory a;
        a.operatorFeeScalar = scalar;
        a.operatorFeeConstant = constant_;
        vm.assertTrue(_set(a));
        uint256 fee = oracle.getOperatorFee(gasUsed);
        if (gasUsed < 1 << 128) {
            vm.assertEq(fee, gasUsed * scalar * 100 + constant_);
        } else {
            vm.assertGe(fee, scalar == 0 ? constant_ : gasUsed);
        }
    }
}

contract L2ToL1MessagePasserTest is Test {
    L2ToL1MessagePasser internal passer = L2ToL1MessagePasser(payable(Predeploys.L2_TO_L1_MESSAGE_PASSER));
    address internal alice = makeAddr("alice");

    function setUp() public {
        deployAt(address(passer), type(L2ToL1MessagePasser).creationCode);
        vm.deal(alice, 100 ether);
    }

    function testFuzz_initiateWithdrawal_records(address target, uint256 value, uint256 gasLimit, bytes calldata data)
        public
    {
        value = bound(value, 0, 100 ether);
        uint256 nonce = passer.messageNonce();
        bytes32 hash = keccak256(abi.encode(nonce, alice, target, value, gasLimit, data));
        vm.expectEmit(address(passer));
        emit IL2ToL1MessagePasser.MessagePassed(nonce, alice, target, value, gasLimit, data, hash);
        vm.prank(alice);
        passer.initiateWithdrawal{value: value}(target, gasLimit, data);
        vm.assertTrue(passer.sentMessages(hash));
        vm.assertEq(passer.messageNonce(), nonce + 1);
        // Where proofs look.
        vm.assertEq(vm.load(address(passer), keccak256(abi.encode(hash, uint256(0)))), bytes32(uint256(1)));
    }

    function test_messageNonce_carriesVersionOne() public view {
        vm.assertEq(passer.messageNonce(), uint256(1) << 240);
    }

    function test_receive_withdrawsToTheSender() public {
        bytes32 hash = keccak256(abi.encode(uint256(1) << 240, alice, alice, uint256(3), uint256(100_000), bytes("")));
        vm.prank(alice);
        (bool success,) = address(passer).call{value: 3}("");
        vm.assertTrue(success);
        vm.assertTrue(passer.sentMessages(hash));
    }

    function test_burn_removesWhatLeft() public {
        vm.prank(alice);
        passer.initiateWithdrawal{value: 7 ether}(alice, 0, "");
        vm.recordLogs();
        passer.burn();
        Vm.Log memory log = onlyLog(address(passer));
        vm.assertEq(log.topics[0], keccak256("WithdrawerBalanceBurnt(uint256)"));
        vm.assertEq(uint256(log.topics[1]), 7 ether);
        vm.assertEq(address(passer).balance, 0);
    }
}

contract FeeVaultTest is Test {
    BaseFeeVault internal vault;
    address internal recipient = makeAddr("recipient");

    function setUp() public {
        vault = new BaseFeeVault(recipient, 1 ether);
    }

    function test_withdraw_paysTheRecipient() public {
        vm.deal(address(vault), 3 ether);
        vm.expectEmit(address(vault));
        emit IFeeVault.Withdrawal(3 ether, recipient, address(this), IFeeVault.WithdrawalNetwork.L2);
        vm.assertEq(vault.withdraw(), 3 ether);
        vm.assertEq(recipient.balance, 3 ether);
        vm.assertEq(vault.totalProcessed(), 3 ether);
    }

    function test_withdraw_waitsForTheMinimum() public {
        vm.deal(address(vault), 1 ether - 1);
        vm.expectRevert(abi.encodeWithSelector(IFeeVault.FeeVault_BelowMinimum.selector, 1 ether - 1, 1 ether));
        vault.withdraw();
    }

    function test_withdraw_failsIfTheRecipientRefuses() public {
        BaseFeeVault refused = new BaseFeeVault(address(this), 0);
        vm.deal(address(refused), 1);
        vm.expectRevert(IFeeVault.FeeVault_TransferFailed.selector);
        refused.withdraw();
    }
}

contract WrappedOpenTest is Test {
    WrappedOpen internal wopen = WrappedOpen(payable(Predeploys.WOPEN));

    function setUp() public {
        deployAt(address(wopen), type(WrappedOpen).creationCode);
    }

    receive() external payable {}

    function testFuzz_deposit_then_withdraw(uint128 amount, uint128 less) public {
        less = uint128(bound(less, 0, amount));
        vm.deal(address(this), amount);
        wopen.deposit{value: amount}();
        vm.assertEq(wopen.balanceOf(address(this)), amount);
        wopen.withdraw(less);
        vm.assertEq(address(this).balance, less);
        vm.assertEq(wopen.totalSupply(), address(wopen).balance);
    }

    function test_receive_wraps() public {
        vm.deal(address(this), 5);
        (bool success,) = address(wopen).call{value: 5}("");
        vm.assertTrue(success);
        vm.assertEq(wopen.balanceOf(address(this)), 5);
        vm.assertEq(wopen.name(), "Wrapped OPEN");
        vm.assertEq(wopen.symbol(), "WOPEN");
        vm.assertEq(wopen.decimals(), 18);
    }

    function test_withdraw_needsABalance() public {
        vm.expectRevert(bytes4(keccak256("InsufficientBalance()")));
        wopen.withdraw(1);
    }

    function test_allowances_mustBeGiven() public view {
        vm.assertEq(wopen.allowance(address(this), 0x000000000022D473030F116dDEE9F6B43aC78BA3), 0);
    }
}

contract Multicall3Test is Test {
    Multicall3 internal multicall = new Multicall3();

    error Refused();

    function answer(uint256 x) external payable returns (uint256) {
        return x + msg.value;
    }

    function refuse() external pure {
        revert Refused();
    }

    function test_aggregate3_reportsFailures() public {
        Multicall3.Call3[] memory calls = new Multicall3.Call3[](2);
        calls[0] = Multicall3.Call3(address(this), false, abi.encodeCall(this.answer, (41)));
        calls[1] = Multicall3.Call3(address(this), true, abi.encodeCall(this.refuse, ()));
        Multicall3.Result[] memory results = multicall.aggregate3(calls);
        vm.assertTrue(results[0].success);
        vm.assertEq(abi.decode(results[0].returnData, (uint256)), 41);
        vm.assertFalse(results[1].success);
        vm.assertEq(results[1].returnData, abi.encodePacked(Refused.selector));

        calls[1].allowFailure = false;
        vm.expectRevert(bytes("Multicall3: call failed"));
        multicall.aggregate3(calls);
    }

    function test_aggregate3Value_passesValueOn() public {
        Multicall3.Call3Value[] memory calls = new Multicall3.Call3Value[](2);
        calls[0] = Multicall3.Call3Value(address(this), false, 1, abi.encodeCall(this.answer, (1)));
        calls[1] = Multicall3.Call3Value(address(this), false, 2, abi.encodeCall(this.answer, (1)));
        vm.deal(address(this), 4);
        Multicall3.Result[] memory results = multicall.aggregate3Value{value: 3}(calls);
        vm.assertEq(abi.decode(results[1].returnData, (uint256)), 3);
        vm.expectRevert(bytes("Multicall3: call failed"));
        multicall.aggregate3Value(calls);
        vm.expectRevert(bytes("Multicall3: value mismatch"));
        multicall.aggregate3Value{value: 4}(calls);
    }

    function test_aggregate_and_tryAggregate() public {
        Multicall3.Call[] memory calls = new Multicall3.Call[](1);
        calls[0] = Multicall3.Call(address(this), abi.encodeCall(this.answer, (7)));
        (uint256 number, bytes[] memory data) = multicall.aggregate(calls);
        vm.assertEq(number, block.number);
        vm.assertEq(abi.decode(data[0], (uint256)), 7);
        calls[0].callData = abi.encodeCall(this.refuse, ());
        vm.assertFalse(multicall.tryAggregate(false, calls)[0].success);
        vm.expectRevert(bytes("Multicall3: call failed"));
        multicall.blockAndAggregate(calls);
        (, bytes32 hash,) = multicall.tryBlockAndAggregate(false, calls);
        vm.assertEq(hash, blockhash(block.number));
    }

    function test_views() public view {
        vm.assertEq(multicall.getBlockNumber(), block.number);
        vm.assertEq(multicall.getCurrentBlockTimestamp(), block.timestamp);
        vm.assertEq(multicall.getChainId(), block.chainid);
        vm.assertEq(multicall.getEthBalance(address(this)), address(this).balance);
        vm.assertEq(multicall.getBasefee(), block.basefee);
    }
}
