// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {DatanetRegistry} from "../../src/L2/DatanetRegistry.sol";
import {ModelRegistry} from "../../src/L2/ModelRegistry.sol";
import {IDatanetRegistry} from "../../src/interfaces/IDatanetRegistry.sol";
import {IModelRegistry} from "../../src/interfaces/IModelRegistry.sol";
import {Predeploys} from "../../src/libraries/Predeploys.sol";
import {Test} from "../utils/Test.sol";

contract DatanetRegistryTest is Test {
    DatanetRegistry internal registry = new DatanetRegistry();
    address internal alice = makeAddr("alice");

    function test_createDatanet_countsFromOne() public {
        vm.expectEmit(address(registry));
        emit IDatanetRegistry.DatanetCreated(1, address(this), "law");
        vm.assertEq(registry.createDatanet("law"), 1);
        vm.prank(alice);
        vm.assertEq(registry.createDatanet("law"), 2);
        (address owner, string memory name, uint32 latest) = registry.datanet(2);
        vm.assertEq(owner, alice);
        vm.assertEq(name, "law");
        vm.assertEq(latest, 0);
        (owner,,) = registry.datanet(3);
        vm.assertEq(owner, address(0));
    }

    function test_publishVersion_keepsEveryVersion() public {
        uint256 id = registry.createDatanet("law");
        vm.assertFalse(registry.isRoot("a"));
        vm.expectEmit(address(registry));
        emit IDatanetRegistry.VersionPublished(id, 1, "a", 503, "ipfs://a");
        vm.assertEq(registry.publishVersion(id, "a", 503, "ipfs://a"), 1);
        vm.assertEq(registry.publishVersion(id, "b", 504, ""), 2);
        (bytes32 root, uint32 count, string memory uri) = registry.versionOf(id, 1);
        vm.assertEq(root, "a");
        vm.assertEq(count, 503);
        vm.assertEq(uri, "ipfs://a");
        vm.assertTrue(registry.isRoot("a") && registry.isRoot("b"));
        (,, uint32 latest) = registry.datanet(id);
        vm.assertEq(latest, 2);
        vm.expectRevert(abi.encodeWithSelector(IDatanetRegistry.UnknownVersion.selector, id, 3));
        registry.versionOf(id, 3);
    }

    function test_publishVersion_isTheOwnersAlone() public {
        uint256 id = registry.createDatanet("law");
        vm.prank(alice);
        vm.expectRevert(abi.encodeWithSelector(IDatanetRegistry.NotDatanetOwner.selector, id, alice));
        registry.publishVersion(id, "a", 1, "");
        vm.expectRevert(abi.encodeWithSelector(IDatanetRegistry.UnknownDatanet.selector, 9));
        registry.publishVersion(9, "a", 1, "");
    }

    function test_inputs_areBounded() public {
        vm.expectRevert(IDatanetRegistry.InvalidName.selector);
        registry.createDatanet("");
        vm.expectRevert(IDatanetRegistry.InvalidName.selector);
        registry.createDatanet(string(new bytes(129)));
        uint256 id = registry.createDatanet("x");
        vm.expectRevert(IDatanetRegistry.EmptyVersion.selector);
        registry.publishVersion(id, 0, 1, "");
        vm.expectRevert(IDatanetRegistry.EmptyVersion.selector);
        registry.publishVersion(id, "a", 0, "");
        vm.expectRevert(IDatanetRegistry.InvalidUri.selector);
        registry.publishVersion(id, "a", 1, string(new bytes(1025)));
    }
}

contract ModelRegistryTest is Test {
    DatanetRegistry internal datanets = DatanetRegistry(Predeploys.DATANET_REGISTRY);
    ModelRegistry internal registry = ModelRegistry(Predeploys.MODEL_REGISTRY);
    address internal alice = makeAddr("alice");
    bytes32 internal modelId = keccak256(abi.encode(bytes32("backbone"), bytes32("adapter")));

    function setUp() public {
        deployAt(address(datanets), type(DatanetRegistry).creationCode);
        deployAt(address(registry), type(ModelRegistry).creationCode);
        datanets.publishVersion(datanets.createDatanet("law"), "root", 503, "");
        vm.warp(1_000_000);
    }

    function _fees(uint128 rateIn) internal pure returns (IModelRegistry.FeeSchedule memory) {
        return IModelRegistry.FeeSchedule(rateIn, 0.4 ether, 0, 0.5 ether, 7000, 1000, 2000);
    }

    function _id(IModelRegistry.FeeSchedule memory fees) internal pure returns (bytes32) {
        return keccak256(abi.encode(fees));
    }

    function _register() internal {
        vm.prank(alice);
        vm.assertEq(registry.register("backbone", "adapter", "root", _fees(1), "ipfs://m"), modelId);
    }

    function test_register_stores() public {
        vm.expectEmit(address(registry));
        emit IModelRegistry.ModelRegistered(modelId, alice, "backbone", "adapter", "root", "ipfs://m");
        vm.expectEmit(address(registry));
        emit IModelRegistry.FeeScheduleChanged(modelId, _id(_fees(1)));
        _register();
        IModelRegistry.Model memory model = registry.model(modelId);
        vm.assertEq(model.owner, alice);
        vm.assertEq(model.backbone, "backbone");
        vm.assertEq(model.adapter, "adapter");
        vm.assertEq(model.datasetRoot, "root");
        vm.assertEq(model.uri, "ipfs://m");
        vm.assertEq(_id(model.fees), _id(_fees(1)));
        vm.assertEq(registry.scheduleId(modelId), _id(_fees(1)));
        vm.assertEq(registry.model("unknown").owner, address(0));
    }

    function test_register_onlyOnce() public {
        _register();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.AlreadyRegistered.selector, modelId));
        registry.register("backbone", "adapter", "root", _fees(1), "");
    }

    function test_register_needsPublishedData() public {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownDatasetRoot.selector, bytes32("other")));
        registry.register("backbone", "adapter", "other", _fees(1), "");
        // The bare backbone was trained on none.
        registry.register("backbone", 0, 0, _fees(1), "");
    }

    function test_register_boundsItsInputs() public {
        vm.expectRevert(IModelRegistry.EmptyBackbone.selector);
        registry.register(0, "adapter", "root", _fees(1), "");
        vm.expectRevert(IModelRegistry.InvalidUri.selector);
        registry.register("backbone", "adapter", "root", _fees(1), string(new bytes(1025)));
    }

    function testFuzz_register_checksTheSchedule(uint8 kind, uint128 value, uint16 a, uint16 b, uint16 c) public {
        IModelRegistry.FeeSchedule memory fees = IModelRegistry.FeeSchedule(1, 1, kind, value, a, b, c);
        bool valid = uint256(a) + b + c == 10_000 && (kind == 0 || (kind == 1 && value <= 10_000));
        if (!valid) vm.expectRevert(IModelRegistry.InvalidFeeSchedule.selector);
        registry.register("backbone", "adapter", "root", fees, "");
    }

    function test_schedule_sharesThatSumAreAccepted() public {
        registry.register("a", 0, 0, IModelRegistry.FeeSchedule(1, 1, 1, 10_000, 0, 0, 10_000), "");
        vm.expectRevert(IModelRegistry.InvalidFeeSchedule.selector);
        registry.register("b", 0, 0, IModelRegistry.FeeSchedule(1, 1, 1, 10_001, 0, 0, 10_000), "");
        vm.expectRevert(IModelRegistry.InvalidFeeSchedule.selector);
        registry.register("b", 0, 0, IModelRegistry.FeeSchedule(1, 1, 2, 0, 0, 0, 10_000), "");
    }

    function test_setFeeSchedule_isTheOwnersAlone() public {
        _register();
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelId, address(this)));
        registry.setFeeSchedule(modelId, _fees(2));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("unknown")));
        registry.setFeeSchedule("unknown", _fees(2));
    }

    function test_termsOf_honoursTheLastScheduleForAWhile() public {
        _register();
        bytes32 first = _id(_fees(1));
        bytes32 second = _id(_fees(2));
        vm.prank(alice);
        registry.setFeeSchedule(modelId, _fees(2));

        (address owner, bytes32 root, IModelRegistry.FeeSchedule memory fees) = registry.termsOf(modelId, second);
        vm.assertEq(owner, alice);
        vm.assertEq(root, "root");
        vm.assertEq(fees.rateIn, 2);
        vm.warp(1_000_000 + 1 hours - 1);
        (,, fees) = registry.termsOf(modelId, first);
        vm.assertEq(fees.rateIn, 1);

        vm.warp(1_000_000 + 1 hours);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ScheduleChanged.selector, first, second));
        registry.termsOf(modelId, first);
    }

    function test_termsOf_knowsNothingElse() public {
        _register();
        vm.expectPartialRevert(IModelRegistry.ScheduleChanged.selector);
        registry.termsOf(modelId, "other");
        // The empty schedule that no change has left behind yet is none.
        IModelRegistry.FeeSchedule memory none;
        vm.expectPartialRevert(IModelRegistry.ScheduleChanged.selector);
        registry.termsOf(modelId, _id(none));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("unknown")));
        registry.termsOf("unknown", _id(_fees(1)));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, bytes32("unknown")));
        registry.scheduleId("unknown");
    }

    function test_setFeeSchedule_keepsItsDistance() public {
        _register();
        vm.prank(alice);
        registry.setFeeSchedule(modelId, _fees(2));
        vm.warp(1_000_000 + 1 hours - 1);
        vm.prank(alice);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ScheduleChangedTooRecently.selector, uint64(1_000_000 + 1 hours))
        );
        registry.setFeeSchedule(modelId, _fees(3));
        vm.warp(1_000_000 + 1 hours);
        vm.prank(alice);
        registry.setFeeSchedule(modelId, _fees(3));
        vm.assertEq(registry.scheduleId(modelId), _id(_fees(3)));
    }
}
