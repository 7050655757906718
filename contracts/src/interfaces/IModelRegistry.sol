// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IModelRegistry
/// @notice Which models can be paid for, and at which price. A model is named by what it is: the hashes of its files.
interface IModelRegistry {
    /// @notice What an answer costs and who gets which part (docs/spec/settlement.md).
    /// @param rateIn Wei of OPEN per 1000 prompt tokens.
    /// @param rateOut Wei of OPEN per 1000 completion tokens.
    /// @param platformKind 0: `platformValue` is flat, in wei; 1: a share of the usage, in parts per 10,000.
    /// @param platformValue See `platformKind`.
    /// @param modelBps The model owner's share of the net fee, in parts per 10,000.
    /// @param stakersBps The stakers' share.
    /// @param contributorsBps The contributors' share. The three sum to 10,000.
    struct FeeSchedule {
        uint128 rateIn;
        uint128 rateOut;
        uint8 platformKind;
        uint128 platformValue;
        uint16 modelBps;
        uint16 stakersBps;
        uint16 contributorsBps;
    }

    /// @notice A registered model.
    /// @param owner Who earns the model's share and sets its price.
    /// @param backbone SHA-256 of the backbone's file.
    /// @param adapter SHA-256 of the adapter's file; zero for the bare backbone.
    /// @param datasetRoot The datanet version that the adapter was trained on; zero for none.
    /// @param fees The fee schedule in force.
    /// @param uri Where the files can be had.
    struct Model {
        address owner;
        bytes32 backbone;
        bytes32 adapter;
        bytes32 datasetRoot;
        FeeSchedule fees;
        string uri;
    }

    /// @notice A model was registered.
    event ModelRegistered(
        bytes32 indexed modelId,
        address indexed owner,
        bytes32 backbone,
        bytes32 adapter,
        bytes32 datasetRoot,
        string uri
    );

    /// @notice A model got a fee schedule, at registration or later.
    event FeeScheduleChanged(bytes32 indexed modelId, bytes32 scheduleId);

    /// @notice No model has this id.
    error UnknownModel(bytes32 modelId);

    /// @notice The schedule is neither in force nor was it until recently.
    error ScheduleChanged(bytes32 expected, bytes32 actual);

    /// @notice The model is already registered.
    error AlreadyRegistered(bytes32 modelId);

    /// @notice Only the model's owner may set its price.
    error NotModelOwner(bytes32 modelId, address caller);

    /// @notice No datanet published a version with this root.
    error UnknownDatasetRoot(bytes32 root);

    /// @notice The shares do not sum to 10,000, or the platform's part is neither flat nor a share up to 10,000.
    error InvalidFeeSchedule();

    /// @notice The price was changed a short while ago; the next change can follow at `allowedAt`.
    error ScheduleChangedTooRecently(uint64 allowedAt);

    /// @notice A backbone has a hash.
    error EmptyBackbone();

    /// @notice A URI has at most 1024 bytes.
    error InvalidUri();

    /// @notice Seconds for which a superseded schedule can still be settled.
    function SCHEDULE_GRACE() external view returns (uint64);

    /// @notice Registers a model that belongs to the caller.
    /// @param backbone SHA-256 of the backbone's file.
    /// @param adapter SHA-256 of the adapter's file; zero for the bare backbone.
    /// @param datasetRoot A published root; zero for none.
    /// @param fees The price.
    /// @param uri Where the files can be had.
    /// @return modelId `keccak256(abi.encode(backbone, adapter))`.
    function register(
        bytes32 backbone,
        bytes32 adapter,
        bytes32 datasetRoot,
        FeeSchedule calldata fees,
        string calldata uri
    ) external returns (bytes32 modelId);

    /// @notice Sets the price of a model of the caller's. What was signed for at the old price can be settled for
    /// `SCHEDULE_GRACE` seconds more, and the next change must wait as long.
    function setFeeSchedule(bytes32 modelId, FeeSchedule calldata fees) external;

    /// @notice A model; the zero address owns what does not exist.
    function model(bytes32 modelId) external view returns (Model memory);

    /// @notice `keccak256(abi.encode(fees))` of the schedule in force.
    function scheduleId(bytes32 modelId) external view returns (bytes32);

    /// @notice What a settlement needs to know of a model: reverts unless `scheduleId_` is in force or superseded for
    /// less than `SCHEDULE_GRACE` seconds.
    function termsOf(bytes32 modelId, bytes32 scheduleId_)
        external
        view
        returns (address owner, bytes32 datasetRoot, FeeSchedule memory fees);
}
