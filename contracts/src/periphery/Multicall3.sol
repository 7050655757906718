// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title Multicall3
/// @notice Many calls in one, with the interface that clients expect at `0xcA11bde05977b3631167028862bE2a173976CA11`.
contract Multicall3 {
    /// @notice A call that must succeed, or, in the `try` functions, whose failure is governed by one flag.
    struct Call {
        address target;
        bytes callData;
    }

    /// @notice A call that says for itself whether it may fail.
    struct Call3 {
        address target;
        bool allowFailure;
        bytes callData;
    }

    /// @notice A `Call3` that carries native coin.
    struct Call3Value {
        address target;
        bool allowFailure;
        uint256 value;
        bytes callData;
    }

    /// @notice What a call came to.
    struct Result {
        bool success;
        bytes returnData;
    }

    /// @notice Makes all calls; each must succeed.
    function aggregate(Call[] calldata calls)
        external
        payable
        returns (uint256 blockNumber, bytes[] memory returnData)
    {
        blockNumber = block.number;
        returnData = new bytes[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            (, returnData[i]) = _call(calls[i].target, 0, calls[i].callData, false);
        }
    }

    /// @notice Makes all calls; each must succeed if `requireSuccess`.
    function tryAggregate(bool requireSuccess, Call[] calldata calls) public payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            (results[i].success, results[i].returnData) = _call(calls[i].target, 0, calls[i].callData, !requireSuccess);
        }
    }

    /// @notice `tryAggregate`, and the block it ran in.
    function tryBlockAndAggregate(bool requireSuccess, Call[] calldata calls)
        public
        payable
        returns (uint256 blockNumber, bytes32 blockHash, Result[] memory results)
    {
        blockNumber = block.number;
        blockHash = blockhash(block.number);
        results = tryAggregate(requireSuccess, calls);
    }

    /// @notice `tryBlockAndAggregate` where each call must succeed.
    function blockAndAggregate(Call[] calldata calls)
        external
        payable
        returns (uint256 blockNumber, bytes32 blockHash, Result[] memory results)
    {
        return tryBlockAndAggregate(true, calls);
    }

    /// @notice Makes all calls; each says whether it may fail.
    function aggregate3(Call3[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        for (uint256 i; i < calls.length; ++i) {
            (results[i].success, results[i].returnData) =
                _call(calls[i].target, 0, calls[i].callData, calls[i].allowFailure);
        }
    }

    /// @notice `aggregate3` with native coin; the values must sum to what came with the call.
    function aggregate3Value(Call3Value[] calldata calls) external payable returns (Result[] memory results) {
        results = new Result[](calls.length);
        uint256 sum;
        for (uint256 i; i < calls.length; ++i) {
            sum += calls[i].value;
            (results[i].success, results[i].returnData) =
                _call(calls[i].target, calls[i].value, calls[i].callData, calls[i].allowFailure);
        }
        require(sum == msg.value, "Multicall3: value mismatch");
    }

    /// @notice Hash of a recent block.
    function getBlockHash(uint256 blockNumber) external view returns (bytes32) {
        return blockhash(blockNumber);
    }

    /// @notice Number of this block.
    function getBlockNumber() external view returns (uint256) {
        return block.number;
    }

    /// @notice Fee recipient of this block.
    function getCurrentBlockCoinbase() external view returns (address) {
        return block.coinbase;
    }

    /// @notice `PREVRANDAO` of this block, by its old name.
    function getCurrentBlockDifficulty() external view returns (uint256) {
        return block.prevrandao;
    }

    /// @notice Gas limit of this block.
    function getCurrentBlockGasLimit() external view returns (uint256) {
        return block.gaslimit;
    }

    /// @notice Time of this block, in seconds.
    function getCurrentBlockTimestamp() external view returns (uint256) {
        return block.timestamp;
    }

    /// @notice Balance of an account, in wei.
    function getEthBalance(address account) external view returns (uint256) {
        return account.balance;
    }

    /// @notice Hash of the block before this one.
    function getLastBlockHash() external view returns (bytes32) {
        return blockhash(block.number - 1);
    }

    /// @notice Base fee of this block, in wei.
    function getBasefee() external view returns (uint256) {
        return block.basefee;
    }

    /// @notice Id of this chain.
    function getChainId() external view returns (uint256) {
        return block.chainid;
    }

    function _call(address target, uint256 value, bytes calldata data, bool allowFailure)
        private
        returns (bool success, bytes memory returnData)
    {
        (success, returnData) = target.call{value: value}(data);
        require(success || allowFailure, "Multicall3: call failed");
    }
}
