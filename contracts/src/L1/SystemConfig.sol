// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {ISystemConfig} from "../interfaces/ISystemConfig.sol";

/// @title SystemConfig
/// @notice The rollup's parameters that may change while it runs. Derivation starts from the values that
/// `rollup.json` carries for the genesis block and follows the `ConfigUpdate` events from there, so that every node
/// switches at the same L1 block.
/// @dev Not upgradeable. A version with more parameters is deployed behind an ERC-1967 proxy owned by the timelock, at
/// a new address which a hard fork puts into the rollup configuration; logs of this one then end to count.
contract SystemConfig is ISystemConfig, Ownable2Step {
    /// @inheritdoc ISystemConfig
    uint256 public constant VERSION = 0;

    /// @notice The largest gas limit an L2 block can be given: what a machine of two cores makes of transfers in a second,
    /// with room to spare. A verifier has to follow: docs/decisions/008.
    uint64 public constant MAX_GAS_LIMIT = 1_000_000_000;

    /// @notice The least L2 gas limit: a full L1 block's deposits and the L1 attributes must fit into one L2 block.
    uint64 public constant MIN_GAS_LIMIT = 21_000_000;

    /// @inheritdoc ISystemConfig
    address public immutable batchInbox;

    /// @inheritdoc ISystemConfig
    uint256 public immutable startBlock;

    /// @inheritdoc ISystemConfig
    bytes32 public batcherHash;

    /// @inheritdoc ISystemConfig
    address public unsafeBlockSigner;

    /// @inheritdoc ISystemConfig
    uint64 public gasLimit;

    /// @inheritdoc ISystemConfig
    uint32 public basefeeScalar;

    /// @inheritdoc ISystemConfig
    uint32 public blobbasefeeScalar;

    /// @inheritdoc ISystemConfig
    uint32 public eip1559Denominator;

    /// @inheritdoc ISystemConfig
    uint32 public eip1559Elasticity;

    /// @inheritdoc ISystemConfig
    uint64 public minBaseFee;

    /// @inheritdoc ISystemConfig
    uint64 public operatorFeeConstant;

    /// @inheritdoc ISystemConfig
    uint32 public operatorFeeScalar;

    /// @inheritdoc ISystemConfig
    uint16 public daFootprintGasScalar;

    /// @param owner_ May change every parameter.
    /// @param batchInbox_ The address that the batcher sends its data to.
    /// @param initial The values at the rollup's genesis, the same as in its configuration file.
    constructor(address owner_, address batchInbox_, Config memory initial) Ownable(owner_) {
        batchInbox = batchInbox_;
        startBlock = block.number;
        _setBatcherHash(initial.batcherHash);
        _setUnsafeBlockSigner(initial.unsafeBlockSigner);
        _setGasLimit(initial.gasLimit);
        _setGasConfigEcotone(initial.basefeeScalar, initial.blobbasefeeScalar);
        _setEIP1559Params(initial.eip1559Denominator, initial.eip1559Elasticity);
        _setMinBaseFee(initial.minBaseFee);
        _setOperatorFeeScalars(initial.operatorFeeScalar, initial.operatorFeeConstant);
        _setDAFootprintGasScalar(initial.daFootprintGasScalar);
    }

    /// @inheritdoc ISystemConfig
    function version() external pure returns (string memory) {
        return "3.0.0";
    }

    /// @inheritdoc ISystemConfig
    function isCustomGasToken() external pure returns (bool) {
        return true;
    }

    /// @inheritdoc ISystemConfig
    function overhead() external pure returns (uint256) {
        return 0;
    }

    /// @inheritdoc ISystemConfig
    function scalar() public view returns (uint256) {
        return (uint256(1) << 248) | (uint256(blobbasefeeScalar) << 32) | basefeeScalar;
    }

    /// @inheritdoc ISystemConfig
    function minimumGasLimit() external pure returns (uint64) {
        return MIN_GAS_LIMIT;
    }

    /// @inheritdoc ISystemConfig
    function maximumGasLimit() external pure returns (uint64) {
        return MAX_GAS_LIMIT;
    }

    /// @inheritdoc ISystemConfig
    function setBatcherHash(bytes32 value) external onlyOwner {
        _setBatcherHash(value);
    }

    /// @inheritdoc ISystemConfig
    function setUnsafeBlockSigner(address value) external onlyOwner {
        _setUnsafeBlockSigner(value);
    }

    /// @inheritdoc ISystemConfig
    function setGasLimit(uint64 value) external onlyOwner {
        _setGasLimit(value);
    }

    /// @inheritdoc ISystemConfig
    function setGasConfigEcotone(uint32 basefeeScalar_, uint32 blobbasefeeScalar_) external onlyOwner {
        _setGasConfigEcotone(basefeeScalar_, blobbasefeeScalar_);
    }

    /// @inheritdoc ISystemConfig
    function setEIP1559Params(uint32 denominator, uint32 elasticity) external onlyOwner {
        _setEIP1559Params(denominator, elasticity);
    }

    /// @inheritdoc ISystemConfig
    function setMinBaseFee(uint64 value) external onlyOwner {
        _setMinBaseFee(value);
    }

    /// @inheritdoc ISystemConfig
    function setOperatorFeeScalars(uint32 scalar_, uint64 constant_) external onlyOwner {
        _setOperatorFeeScalars(scalar_, constant_);
    }

    /// @inheritdoc ISystemConfig
    function setDAFootprintGasScalar(uint16 value) external onlyOwner {
        _setDAFootprintGasScalar(value);
    }

    function _setBatcherHash(bytes32 value) internal {
        // Derivation knows version 0 only, an address; anything else would stop every node.
        if (uint256(value) >> 160 != 0) revert SystemConfig_InvalidBatcherHash(value);
        batcherHash = value;
        emit ConfigUpdate(VERSION, UpdateType.BATCHER, abi.encode(value));
    }

    function _setUnsafeBlockSigner(address value) internal {
        unsafeBlockSigner = value;
        emit ConfigUpdate(VERSION, UpdateType.UNSAFE_BLOCK_SIGNER, abi.encode(value));
    }

    function _setGasLimit(uint64 value) internal {
        if (value < MIN_GAS_LIMIT || value > MAX_GAS_LIMIT) {
            revert SystemConfig_GasLimitOutOfRange(value, MIN_GAS_LIMIT, MAX_GAS_LIMIT);
        }
        gasLimit = value;
        emit ConfigUpdate(VERSION, UpdateType.GAS_LIMIT, abi.encode(value));
    }

    function _setGasConfigEcotone(uint32 basefeeScalar_, uint32 blobbasefeeScalar_) internal {
        basefeeScalar = basefeeScalar_;
        blobbasefeeScalar = blobbasefeeScalar_;
        emit ConfigUpdate(VERSION, UpdateType.FEE_SCALARS, abi.encode(uint256(0), scalar()));
    }

    function _setEIP1559Params(uint32 denominator, uint32 elasticity) internal {
        // Zero would make the next base fee a division by zero.
        if (denominator == 0 || elasticity == 0) revert SystemConfig_InvalidEIP1559Params(denominator, elasticity);
        eip1559Denominator = denominator;
        eip1559Elasticity = elasticity;
        emit ConfigUpdate(
            VERSION, UpdateType.EIP_1559_PARAMS, abi.encode((uint256(denominator) << 32) | uint256(elasticity))
        );
    }

    function _setMinBaseFee(uint64 value) internal {
        minBaseFee = value;
        emit ConfigUpdate(VERSION, UpdateType.MIN_BASE_FEE, abi.encode(value));
    }

    function _setOperatorFeeScalars(uint32 scalar_, uint64 constant_) internal {
        operatorFeeScalar = scalar_;
        operatorFeeConstant = constant_;
        emit ConfigUpdate(
            VERSION, UpdateType.OPERATOR_FEE_PARAMS, abi.encode((uint256(scalar_) << 64) | uint256(constant_))
        );
    }

    function _setDAFootprintGasScalar(uint16 value) internal {
        daFootprintGasScalar = value;
        emit ConfigUpdate(VERSION, UpdateType.DA_FOOTPRINT_GAS_SCALAR, abi.encode(value));
    }
}
