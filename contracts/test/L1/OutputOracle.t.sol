// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {OutputOracle} from "../../src/L1/OutputOracle.sol";
import {IOutputOracle} from "../../src/interfaces/IOutputOracle.sol";
import {Test} from "../utils/Test.sol";

contract OutputOracleTest is Test {
    uint256 internal constant INTERVAL = 30;
    uint256 internal constant START = 1000;

    OutputOracle internal oracle;
    address internal proposer = makeAddr("proposer");

    function setUp() public {
        vm.warp(START + 10_000);
        oracle = new OutputOracle(INTERVAL, 1, 0, START, proposer);
    }

    function _propose(bytes32 root) internal {
        uint256 next = oracle.nextBlockNumber();
        vm.prank(proposer);
        oracle.proposeL2Output(root, next, 0, 0);
    }

    function test_proposeL2Output_appends() public {
        vm.assertEq(oracle.latestBlockNumber(), 0);
        vm.assertEq(oracle.nextOutputIndex(), 0);
        vm.expectEmit(address(oracle));
        emit IOutputOracle.OutputProposed("a", 0, 30, block.timestamp);
        _propose("a");
        _propose("b");
        vm.assertEq(oracle.latestOutputIndex(), 1);
        vm.assertEq(oracle.latestBlockNumber(), 60);
        vm.assertEq(oracle.nextBlockNumber(), 90);
        IOutputOracle.OutputProposal memory output = oracle.getL2Output(1);
        vm.assertEq(output.outputRoot, "b");
        vm.assertEq(output.l2BlockNumber, 60);
        vm.assertEq(output.timestamp, block.timestamp);
    }

    function testFuzz_getL2OutputAfter_isTheFirstThatCovers(uint256 number) public {
        _propose("a");
        _propose("b");
        _propose("c");
        number = bound(number, 0, 90);
        IOutputOracle.OutputProposal memory output = oracle.getL2OutputAfter(number);
        vm.assertGe(output.l2BlockNumber, number);
        uint256 index = oracle.getL2OutputIndexAfter(number);
        if (index > 0) vm.assertLt(oracle.getL2Output(index - 1).l2BlockNumber, number);
    }

    function test_getL2OutputAfter_knowsNothingYet() public {
        vm.expectRevert(abi.encodeWithSelector(IOutputOracle.OutputOracle_NoOutputYet.selector, 0));
        oracle.getL2OutputAfter(0);
        vm.expectRevert(abi.encodeWithSelector(IOutputOracle.OutputOracle_NoOutputYet.selector, 0));
        oracle.latestOutputIndex();
        _propose("a");
        vm.expectRevert(abi.encodeWithSelector(IOutputOracle.OutputOracle_NoOutputYet.selector, 31));
        oracle.getL2OutputAfter(31);
    }

    function test_proposeL2Output_isTheProposersAlone() public {
        vm.expectRevert(
            abi.encodeWithSelector(IOutputOracle.OutputOracle_NotProposer.selector, address(this), proposer)
        );
        oracle.proposeL2Output("a", 30, 0, 0);
    }

    function test_proposeL2Output_keepsTheInterval() public {
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(IOutputOracle.OutputOracle_UnexpectedBlock.selector, 31, 30));
        oracle.proposeL2Output("a", 31, 0, 0);
    }

    function test_proposeL2Output_refusesTheFuture() public {
        vm.warp(START + 30);
        vm.prank(proposer);
        vm.expectRevert(abi.encodeWithSelector(IOutputOracle.OutputOracle_FutureBlock.selector, 30, START + 30));
        oracle.proposeL2Output("a", 30, 0, 0);
    }

    function test_proposeL2Output_refusesTheEmptyRoot() public {
        vm.prank(proposer);
        vm.expectRevert(IOutputOracle.OutputOracle_EmptyOutputRoot.selector);
        oracle.proposeL2Output(0, 30, 0, 0);
    }

    function test_proposeL2Output_noticesAnL1Reorganisation() public {
        vm.roll(100);
        vm.setBlockhash(99, "right");
        vm.prank(proposer);
        vm.expectRevert(
            abi.encodeWithSelector(
                IOutputOracle.OutputOracle_L1BlockMismatch.selector, 99, bytes32("wrong"), bytes32("right")
            )
        );
        oracle.proposeL2Output("a", 30, "wrong", 99);
        vm.prank(proposer);
        oracle.proposeL2Output("a", 30, "right", 99);
    }

    function test_constructor_checksItsValues() public {
        vm.expectRevert(IOutputOracle.OutputOracle_InvalidConfiguration.selector);
        new OutputOracle(0, 1, 0, START, proposer);
        vm.expectRevert(IOutputOracle.OutputOracle_InvalidConfiguration.selector);
        new OutputOracle(INTERVAL, 0, 0, START, proposer);
        vm.expectRevert(IOutputOracle.OutputOracle_InvalidConfiguration.selector);
        new OutputOracle(INTERVAL, 1, 0, block.timestamp + 1, proposer);
    }
}
