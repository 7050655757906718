// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SystemConfig} from "../../src/L1/SystemConfig.sol";
import {ISystemConfig} from "../../src/interfaces/ISystemConfig.sol";
import {Test, Vm} from "../utils/Test.sol";

contract SystemConfigTest is Test {
    SystemConfig internal config;
    address internal owner = makeAddr("owner");

    function setUp() public {
        config = new SystemConfig(owner, makeAddr("inbox"), _initial());
    }

    function _initial() internal pure returns (ISystemConfig.Config memory) {
        return ISystemConfig.Config({
            batcherHash: bytes32(uint256(uint160(makeAddr("batcher")))),
            unsafeBlockSigner: makeAddr("signer"),
            gasLimit: 60_000_000,
            basefeeScalar: 0,
            blobbasefeeScalar: 0,
            eip1559Denominator: 250,
            eip1559Elasticity: 6,
            minBaseFee: 1 gwei,
            operatorFeeScalar: 0,
            operatorFeeConstant: 0,
            daFootprintGasScalar: 0
        });
    }

    function _expect(ISystemConfig.UpdateType updateType, bytes memory data) internal {
        Vm.Log memory log = onlyLog(address(config));
        vm.assertEq(log.topics[0], keccak256("ConfigUpdate(uint256,uint8,bytes)"));
        vm.assertEq(log.topics[1], bytes32(0));
        vm.assertEq(log.topics[2], bytes32(uint256(updateType)));
        vm.assertEq(log.data, abi.encode(data));
    }

    function test_constructor_setsAndAnnouncesEverything() public {
        vm.recordLogs();
        SystemConfig fresh = new SystemConfig(owner, makeAddr("inbox"), _initial());
        Vm.Log[] memory logs = vm.getRecordedLogs();
        // Ownership, then the eight kinds.
        vm.assertEq(logs.length, 9);
        vm.assertEq(fresh.batchInbox(), makeAddr("inbox"));
        vm.assertEq(fresh.startBlock(), block.number);
        vm.assertEq(fresh.batcherHash(), bytes32(uint256(uint160(makeAddr("batcher")))));
        vm.assertEq(fresh.unsafeBlockSigner(), makeAddr("signer"));
        vm.assertEq(fresh.gasLimit(), 60_000_000);
        vm.assertEq(fresh.eip1559Denominator(), 250);
        vm.assertEq(fresh.eip1559Elasticity(), 6);
        vm.assertEq(fresh.minBaseFee(), 1 gwei);
        vm.assertEq(fresh.scalar(), 1 << 248);
        vm.assertTrue(fresh.isCustomGasToken());
    }

    function test_updates_areEncodedAsDerivationReadsThem() public {
        vm.recordLogs();
        vm.prank(owner);
        config.setBatcherHash(bytes32(uint256(0xb0b)));
        _expect(ISystemConfig.UpdateType.BATCHER, abi.encode(uint256(0xb0b)));

        vm.prank(owner);
        config.setGasConfigEcotone(5, 6);
        _expect(ISystemConfig.UpdateType.FEE_SCALARS, abi.encode(uint256(0), (uint256(1) << 248) | (6 << 32) | 5));

        vm.prank(owner);
        config.setGasLimit(30_000_000);
        _expect(ISystemConfig.UpdateType.GAS_LIMIT, abi.encode(uint256(30_000_000)));

        vm.prank(owner);
        config.setUnsafeBlockSigner(address(7));
        _expect(ISystemConfig.UpdateType.UNSAFE_BLOCK_SIGNER, abi.encode(address(7)));

        vm.prank(owner);
        config.setEIP1559Params(100, 2);
        _expect(ISystemConfig.UpdateType.EIP_1559_PARAMS, abi.encode((uint256(100) << 32) | 2));

        vm.prank(owner);
        config.setOperatorFeeScalars(3, 4);
        _expect(ISystemConfig.UpdateType.OPERATOR_FEE_PARAMS, abi.encode((uint256(3) << 64) | 4));

        vm.prank(owner);
        config.setMinBaseFee(9);
        _expect(ISystemConfig.UpdateType.MIN_BASE_FEE, abi.encode(uint256(9)));

        vm.prank(owner);
        config.setDAFootprintGasScalar(500);
        _expect(ISystemConfig.UpdateType.DA_FOOTPRINT_GAS_SCALAR, abi.encode(uint256(500)));
    }

    function test_updates_areTheOwnersAlone() public {
        bytes memory stranger = abi.encodeWithSignature("OwnableUnauthorizedAccount(address)", address(this));
        vm.expectRevert(stranger);
        config.setBatcherHash(0);
        vm.expectRevert(stranger);
        config.setUnsafeBlockSigner(address(0));
        vm.expectRevert(stranger);
        config.setGasLimit(30_000_000);
        vm.expectRevert(stranger);
        config.setGasConfigEcotone(0, 0);
        vm.expectRevert(stranger);
        config.setEIP1559Params(1, 1);
        vm.expectRevert(stranger);
        config.setMinBaseFee(0);
        vm.expectRevert(stranger);
        config.setOperatorFeeScalars(0, 0);
        vm.expectRevert(stranger);
        config.setDAFootprintGasScalar(0);
    }

    function testFuzz_setGasLimit_isBounded(uint64 gasLimit) public {
        vm.prank(owner);
        if (gasLimit < 21_000_000 || gasLimit > 1_000_000_000) {
            vm.expectPartialRevert(ISystemConfig.SystemConfig_GasLimitOutOfRange.selector);
            config.setGasLimit(gasLimit);
        } else {
            config.setGasLimit(gasLimit);
            vm.assertEq(config.gasLimit(), gasLimit);
        }
    }

    function testFuzz_setBatcherHash_isAnAddress(bytes32 hash) public {
        vm.prank(owner);
        if (uint256(hash) > type(uint160).max) {
            vm.expectRevert(abi.encodeWithSelector(ISystemConfig.SystemConfig_InvalidBatcherHash.selector, hash));
        }
        config.setBatcherHash(hash);
        vm.prank(owner);
        config.setBatcherHash(hash & bytes32(uint256(type(uint160).max)));
        vm.assertEq(config.batcherHash(), hash & bytes32(uint256(type(uint160).max)));
    }

    function test_setEIP1559Params_refusesZero() public {
        vm.prank(owner);
        vm.expectPartialRevert(ISystemConfig.SystemConfig_InvalidEIP1559Params.selector);
        config.setEIP1559Params(0, 6);
        vm.prank(owner);
        vm.expectPartialRevert(ISystemConfig.SystemConfig_InvalidEIP1559Params.selector);
        config.setEIP1559Params(250, 0);
    }
}
