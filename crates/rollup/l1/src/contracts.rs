//! Bindings of the rollup's contracts on L1, as this workspace's programs use them.
#![allow(missing_docs, clippy::too_many_arguments, reason = "generated")]

use alloy::sol;

sol! {
    /// The parameters that derivation follows.
    #[sol(rpc)]
    #[derive(Debug, PartialEq, Eq)]
    interface SystemConfig {
        event ConfigUpdate(uint256 indexed version, uint8 indexed updateType, bytes data);
        function owner() external view returns (address);
        function batcherHash() external view returns (bytes32);
        function gasLimit() external view returns (uint64);
        function minBaseFee() external view returns (uint64);
        function setBatcherHash(bytes32 value) external;
        function setGasLimit(uint64 value) external;
        function setGasConfigEcotone(uint32 basefeeScalar, uint32 blobbasefeeScalar) external;
        function setEIP1559Params(uint32 denominator, uint32 elasticity) external;
        function setMinBaseFee(uint64 value) external;
        function setOperatorFeeScalars(uint32 scalar, uint64 constantFee) external;
        function setDAFootprintGasScalar(uint16 value) external;
    }

    /// Takes deposits of OPEN and of transactions.
    #[sol(rpc)]
    #[derive(Debug, PartialEq, Eq)]
    interface OptimismPortal {
        event TransactionDeposited(address indexed from, address indexed to, uint256 indexed version, bytes opaqueData);
        function depositTransaction(address to, uint256 value, uint64 gasLimit, bool isCreation, bytes calldata data) external payable;
        function depositERC20Transaction(address to, uint256 mint, uint256 value, uint64 gasLimit, bool isCreation, bytes calldata data) external;
        function gasPayingToken() external view returns (address);
        function balance() external view returns (uint256);
        function minimumGasLimit(uint64 byteCount) external pure returns (uint64);
    }

    /// OPEN on L1.
    #[sol(rpc)]
    #[derive(Debug, PartialEq, Eq)]
    interface OpenToken {
        event Transfer(address indexed from, address indexed to, uint256 value);
        event Approval(address indexed owner, address indexed spender, uint256 value);
        function balanceOf(address account) external view returns (uint256);
        function allowance(address owner, address spender) external view returns (uint256);
        function approve(address spender, uint256 value) external returns (bool);
        function transfer(address to, uint256 value) external returns (bool);
        function totalSupply() external view returns (uint256);
    }

    /// Where the sequencer states what it holds the state of the L2 to be.
    #[sol(rpc)]
    #[derive(Debug, PartialEq, Eq)]
    interface OutputOracle {
        struct OutputProposal {
            bytes32 outputRoot;
            uint128 timestamp;
            uint128 l2BlockNumber;
        }
        event OutputProposed(bytes32 indexed outputRoot, uint256 indexed l2OutputIndex, uint256 indexed l2BlockNumber, uint256 l1Timestamp);
        error OutputOracle_NotProposer(address caller, address proposer);
        error OutputOracle_UnexpectedBlock(uint256 l2BlockNumber, uint256 expected);
        function proposeL2Output(bytes32 outputRoot, uint256 l2BlockNumber, bytes32 l1BlockHash, uint256 l1BlockNumber) external;
        function submissionInterval() external view returns (uint256);
        function startingBlockNumber() external view returns (uint256);
        function proposer() external view returns (address);
        function latestBlockNumber() external view returns (uint256);
        function nextBlockNumber() external view returns (uint256);
        function nextOutputIndex() external view returns (uint256);
        function getL2Output(uint256 index) external view returns (OutputProposal memory);
    }
}
