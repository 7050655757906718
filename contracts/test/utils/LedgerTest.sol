// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DatanetRegistry} from "../../src/L2/DatanetRegistry.sol";
import {InferenceLedger} from "../../src/L2/InferenceLedger.sol";
import {ModelRegistry} from "../../src/L2/ModelRegistry.sol";
import {IInferenceLedger} from "../../src/interfaces/IInferenceLedger.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Predeploys} from "../../src/libraries/Predeploys.sol";
import {SettlePrecompile} from "./SettlePrecompile.sol";
import {Test} from "./Test.sol";

/// @title LedgerTest
/// @notice The ledger with its registries and the precompile's stand-in, a priced model, and answers to settle.
abstract contract LedgerTest is Test {
    InferenceLedger internal constant ledger = InferenceLedger(Predeploys.INFERENCE_LEDGER);
    ModelRegistry internal constant models = ModelRegistry(Predeploys.MODEL_REGISTRY);
    DatanetRegistry internal constant datanets = DatanetRegistry(Predeploys.DATANET_REGISTRY);

    uint64 internal constant DELAY = 60;
    uint256 internal constant PAYER_KEY = 0xa11ce;
    uint256 internal constant OPERATOR_KEY = 0x09e4a704;

    address internal payer = vm.addr(PAYER_KEY);
    address internal operator = vm.addr(OPERATOR_KEY);
    address internal owner = makeAddr("owner");
    address internal developer = makeAddr("developer");
    address internal carol = makeAddr("carol");
    address internal dave = makeAddr("dave");
    bytes32 internal modelId;
    bytes32 internal scheduleId;

    function _setUpLedger() internal {
        vm.chainId(20_300);
        vm.warp(1_000_000);
        address[] memory operators = new address[](1);
        operators[0] = operator;
        deployAt(
            address(ledger), abi.encodePacked(type(InferenceLedger).creationCode, abi.encode(owner, DELAY, operators))
        );
        deployAt(address(models), type(ModelRegistry).creationCode);
        deployAt(address(datanets), type(DatanetRegistry).creationCode);
        vm.etch(Predeploys.SETTLE, type(SettlePrecompile).runtimeCode);
        vm.allowCheatcodes(Predeploys.SETTLE);

        datanets.publishVersion(datanets.createDatanet("law"), "root", 503, "");
        vm.prank(developer);
        modelId = models.register("backbone", "adapter", "root", goldenFees(), "");
        scheduleId = models.scheduleId(modelId);
    }

    /// @dev The golden case's: an answer of 800 and 1200 tokens costs 1.14 OPEN.
    function goldenFees() internal pure returns (IModelRegistry.FeeSchedule memory) {
        return IModelRegistry.FeeSchedule(0.2 ether, 0.4 ether, 0, 0.5 ether, 7000, 1000, 2000);
    }

    function fund(address account, uint256 amount) internal {
        vm.deal(address(this), address(this).balance + amount);
        ledger.depositFor{value: amount}(account);
    }

    function authorization(uint256 nonce) internal view returns (IInferenceLedger.Authorization memory) {
        return IInferenceLedger.Authorization({
            payer: payer,
            operator: operator,
            modelId: modelId,
            scheduleId: scheduleId,
            maxFee: 2 ether,
            nonce: nonce,
            deadline: uint64(block.timestamp + 600)
        });
    }

    /// @dev The golden case: carol has a quarter of the influence, dave the rest.
    function goldenSettlement(uint256 nonce) internal view returns (IInferenceLedger.Settlement memory settlement) {
        address[] memory contributors = new address[](3);
        int64[] memory influences = new int64[](3);
        (contributors[0], influences[0]) = (dave, 750);
        (contributors[1], influences[1]) = (carol, 250);
        (contributors[2], influences[2]) = (makeAddr("harmful"), -5000);
        return settlementOf(authorization(nonce), 800, 1200, contributors, influences);
    }

    function settlementOf(
        IInferenceLedger.Authorization memory authorization_,
        uint32 tokensIn,
        uint32 tokensOut,
        address[] memory contributors,
        int64[] memory influences
    ) internal view returns (IInferenceLedger.Settlement memory settlement) {
        settlement.authorization = authorization_;
        settlement.contributors = contributors;
        settlement.influences = influences;
        settlement.receipt = IInferenceLedger.Receipt({
            requestId: keccak256(abi.encode(authorization_.payer, authorization_.nonce)),
            modelId: authorization_.modelId,
            scheduleId: authorization_.scheduleId,
            datasetRoot: "root",
            payer: authorization_.payer,
            nonce: authorization_.nonce,
            tokensIn: tokensIn,
            tokensOut: tokensOut,
            promptHash: "prompt",
            outputHash: "output",
            influencesHash: keccak256(abi.encode(contributors, influences)),
            scoresRoot: "scores"
        });
        signAll(settlement);
    }

    function signAll(IInferenceLedger.Settlement memory settlement) internal view {
        settlement.payerSignature = sign(PAYER_KEY, ledger.authorizationDigest(settlement.authorization));
        settlement.operatorSignature = sign(OPERATOR_KEY, ledger.receiptDigest(settlement.receipt));
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    function batchOf(IInferenceLedger.Settlement memory settlement)
        internal
        pure
        returns (IInferenceLedger.Settlement[] memory batch)
    {
        batch = new IInferenceLedger.Settlement[](1);
        batch[0] = settlement;
    }

    function settle(IInferenceLedger.Settlement memory settlement) internal {
        vm.prank(operator);
        ledger.settle(batchOf(settlement));
    }
}
