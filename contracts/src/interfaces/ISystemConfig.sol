// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ISystemConfig
/// @notice The OP Stack's system configuration: names, events and encodings are those that derivation reads.
interface ISystemConfig {
    /// @notice What a `ConfigUpdate` is about. The numbers are part of the derivation rules.
    enum UpdateType {
        BATCHER,
        FEE_SCALARS,
        GAS_LIMIT,
        UNSAFE_BLOCK_SIGNER,
        EIP_1559_PARAMS,
        OPERATOR_FEE_PARAMS,
        MIN_BASE_FEE,
        DA_FOOTPRINT_GAS_SCALAR
    }

    /// @notice Every parameter at once, as given to the constructor.
    struct Config {
        bytes32 batcherHash;
        address unsafeBlockSigner;
        uint64 gasLimit;
        uint32 basefeeScalar;
        uint32 blobbasefeeScalar;
        uint32 eip1559Denominator;
        uint32 eip1559Elasticity;
        uint64 minBaseFee;
        uint32 operatorFeeScalar;
        uint64 operatorFeeConstant;
        uint16 daFootprintGasScalar;
    }

    /// @notice A parameter changed. `data` is the ABI encoding of the new value, by `updateType`:
    /// the batcher hash; `(uint256 overhead, uint256 scalar)`; the gas limit; the signer;
    /// `denominator << 32 | elasticity`; `scalar << 64 | constant`; the minimum base fee; the DA footprint scalar.
    event ConfigUpdate(uint256 indexed version, UpdateType indexed updateType, bytes data);

    /// @notice The L2 gas limit must lie between `minimum` and `maximum`.
    error SystemConfig_GasLimitOutOfRange(uint64 gasLimit, uint64 minimum, uint64 maximum);

    /// @notice A batcher hash is an address, left-padded with zeros.
    error SystemConfig_InvalidBatcherHash(bytes32 batcherHash);

    /// @notice Neither the denominator nor the elasticity may be zero.
    error SystemConfig_InvalidEIP1559Params(uint32 denominator, uint32 elasticity);

    /// @notice Version of the `ConfigUpdate` events.
    function VERSION() external view returns (uint256);

    /// @notice Semantic version of the contract.
    function version() external pure returns (string memory);

    /// @notice True: the native coin of L2 is an ERC-20 of L1, not ether.
    function isCustomGasToken() external pure returns (bool);

    /// @notice The L1 address that batches are sent to. It holds no code and no key.
    function batchInbox() external view returns (address);

    /// @notice The L1 block in which this contract was deployed.
    function startBlock() external view returns (uint256);

    /// @notice Who may post batches: the batcher's address, left-padded; the first byte is a version, zero.
    function batcherHash() external view returns (bytes32);

    /// @notice Who signs blocks that are gossiped before they are on L1.
    function unsafeBlockSigner() external view returns (address);

    /// @notice Gas limit of an L2 block.
    function gasLimit() external view returns (uint64);

    /// @notice The least value that the gas limit can take.
    function minimumGasLimit() external pure returns (uint64);

    /// @notice The largest value that the gas limit can take.
    function maximumGasLimit() external pure returns (uint64);

    /// @notice Weight of the L1 base fee in the L1 data fee, in millionths. Zero by default: data is paid for by the
    /// minimum base fee, which every wallet understands.
    function basefeeScalar() external view returns (uint32);

    /// @notice Weight of the L1 blob base fee in the L1 data fee, in millionths.
    function blobbasefeeScalar() external view returns (uint32);

    /// @notice Always zero since Ecotone.
    function overhead() external pure returns (uint256);

    /// @notice Both scalars in Ecotone's encoding: version 1 in the top byte, then blob base fee and base fee scalar.
    function scalar() external view returns (uint256);

    /// @notice By how much the L2 base fee can move from one block to the next: at most one `denominator`-th part for
    /// each `target` gas too much.
    function eip1559Denominator() external view returns (uint32);

    /// @notice The gas limit divided by the gas target.
    function eip1559Elasticity() external view returns (uint32);

    /// @notice The L2 base fee never falls below this, in wei of OPEN.
    function minBaseFee() external view returns (uint64);

    /// @notice The operator fee of a transaction: `gasUsed · scalar · 100 + constant`, in wei of OPEN.
    function operatorFeeScalar() external view returns (uint32);

    /// @notice See `operatorFeeScalar`.
    function operatorFeeConstant() external view returns (uint64);

    /// @notice Gas charged against the block's limit for each byte of estimated compressed size; zero takes the
    /// protocol's default.
    function daFootprintGasScalar() external view returns (uint16);

    /// @notice Sets who may post batches.
    function setBatcherHash(bytes32 value) external;

    /// @notice Sets who signs gossiped blocks.
    function setUnsafeBlockSigner(address value) external;

    /// @notice Sets the gas limit of an L2 block.
    function setGasLimit(uint64 value) external;

    /// @notice Sets the weights of the L1 data fee.
    function setGasConfigEcotone(uint32 basefeeScalar_, uint32 blobbasefeeScalar_) external;

    /// @notice Sets how the L2 base fee moves.
    function setEIP1559Params(uint32 denominator, uint32 elasticity) external;

    /// @notice Sets the floor of the L2 base fee.
    function setMinBaseFee(uint64 value) external;

    /// @notice Sets the operator fee.
    function setOperatorFeeScalars(uint32 scalar_, uint64 constant_) external;

    /// @notice Sets what a byte counts against the block's gas limit.
    function setDAFootprintGasScalar(uint16 value) external;
}
