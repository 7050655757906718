// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IDatanetRegistry} from "../interfaces/IDatanetRegistry.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {Predeploys} from "../libraries/Predeploys.sol";

/// @title ModelRegistry
/// @notice Anyone may register a model whose data are registered; its owner sets the price.
/// @dev A price change must not cost an operator the answers it already gave, nor let a payer pay an old price for
/// long. So the schedule before the one in force stays valid for a while, and changes keep that distance.
contract ModelRegistry is IModelRegistry {
    uint256 internal constant BPS = 10_000;
    uint256 internal constant MAX_URI_LENGTH = 1024;

    /// @inheritdoc IModelRegistry
    uint64 public constant SCHEDULE_GRACE = 1 hours;

    /// @dev What `termsOf` reads fills four slots: owner and time, root, and the schedule's two.
    struct Entry {
        address owner;
        uint64 changedAt;
        bytes32 datasetRoot;
        FeeSchedule fees;
        FeeSchedule previousFees;
        bytes32 backbone;
        bytes32 adapter;
        string uri;
    }

    mapping(bytes32 modelId => Entry) internal _entries;

    /// @inheritdoc IModelRegistry
    function register(
        bytes32 backbone,
        bytes32 adapter,
        bytes32 datasetRoot,
        FeeSchedule calldata fees,
        string calldata uri
    ) external returns (bytes32 modelId) {
        if (backbone == bytes32(0)) revert EmptyBackbone();
        if (bytes(uri).length > MAX_URI_LENGTH) revert InvalidUri();
        if (datasetRoot != bytes32(0) && !IDatanetRegistry(Predeploys.DATANET_REGISTRY).isRoot(datasetRoot)) {
            revert UnknownDatasetRoot(datasetRoot);
        }
        _checkSchedule(fees);
        modelId = keccak256(abi.encode(backbone, adapter));
        Entry storage entry = _entries[modelId];
        if (entry.owner != address(0)) revert AlreadyRegistered(modelId);

        entry.owner = msg.sender;
        entry.datasetRoot = datasetRoot;
        entry.fees = fees;
        entry.backbone = backbone;
        entry.adapter = adapter;
        entry.uri = uri;
        emit ModelRegistered(modelId, msg.sender, backbone, adapter, datasetRoot, uri);
        emit FeeScheduleChanged(modelId, keccak256(abi.encode(fees)));
    }

    /// @inheritdoc IModelRegistry
    function setFeeSchedule(bytes32 modelId, FeeSchedule calldata fees) external {
        Entry storage entry = _entries[modelId];
        if (entry.owner == address(0)) revert UnknownModel(modelId);
        if (entry.owner != msg.sender) revert NotModelOwner(modelId, msg.sender);
        _checkSchedule(fees);
        uint64 allowedAt = entry.changedAt + SCHEDULE_GRACE;
        if (entry.changedAt != 0 && block.timestamp < allowedAt) revert ScheduleChangedTooRecently(allowedAt);

        entry.previousFees = entry.fees;
        entry.fees = fees;
        entry.changedAt = uint64(block.timestamp);
        emit FeeScheduleChanged(modelId, keccak256(abi.encode(fees)));
    }

    /// @inheritdoc IModelRegistry
    function model(bytes32 modelId) external view returns (Model memory) {
        Entry storage entry = _entries[modelId];
        return Model(entry.owner, entry.backbone, entry.adapter, entry.datasetRoot, entry.fees, entry.uri);
    }

    /// @inheritdoc IModelRegistry
    function scheduleId(bytes32 modelId) external view returns (bytes32) {
        Entry storage entry = _entries[modelId];
        if (entry.owner == address(0)) revert UnknownModel(modelId);
        return _id(entry.fees);
    }

    /// @inheritdoc IModelRegistry
    function termsOf(bytes32 modelId, bytes32 scheduleId_)
        external
        view
        returns (address owner, bytes32 datasetRoot, FeeSchedule memory fees)
    {
        Entry storage entry = _entries[modelId];
        owner = entry.owner;
        if (owner == address(0)) revert UnknownModel(modelId);
        datasetRoot = entry.datasetRoot;
        fees = entry.fees;
        bytes32 current = _id(fees);
        if (scheduleId_ != current) {
            fees = entry.previousFees;
            bool recent = entry.changedAt != 0 && block.timestamp < entry.changedAt + SCHEDULE_GRACE;
            if (!recent || scheduleId_ != _id(fees)) revert ScheduleChanged(scheduleId_, current);
        }
    }

    function _id(FeeSchedule memory fees) internal pure returns (bytes32) {
        return keccak256(abi.encode(fees));
    }

    function _checkSchedule(FeeSchedule calldata fees) internal pure {
        uint256 shares = uint256(fees.modelBps) + fees.stakersBps + fees.contributorsBps;
        if (shares != BPS || fees.platformKind > 1 || (fees.platformKind == 1 && fees.platformValue > BPS)) {
            revert InvalidFeeSchedule();
        }
    }
}
