// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title ISettleErrors
/// @notice What the precompile `SETTLE` reverts with.
interface ISettleErrors {
    error SettleInvalidInput(uint8 code);
    error SettleInsufficientBalance(uint256 balance, uint256 needed);
    error SettleDelegateCall();
    error SettleStaticCall();
    error SettleValueSent();
}

/// @title SettleSplit
/// @notice The arithmetic of `SETTLE`, written to be read beside docs/spec/settlement.md and for nothing else. Checks
/// happen in the order in which the bytes are read, fees last.
library SettleSplit {
    uint8 internal constant TRUNCATED = 1;
    uint8 internal constant TRAILING_BYTES = 2;
    uint8 internal constant VERSION = 3;
    uint8 internal constant NO_RECEIPTS = 4;
    uint8 internal constant ACCOUNTS = 5;
    uint8 internal constant SHARES = 6;
    uint8 internal constant PLATFORM = 7;
    uint8 internal constant ACCOUNT_INDEX = 8;
    uint8 internal constant FEE_OVERFLOW = 9;

    uint256 internal constant WORDS = 6;

    struct Reader {
        bytes input;
        uint256 position;
    }

    struct Entry {
        uint256 account;
        int64 influence;
    }

    struct Receipt {
        uint256 tokensIn;
        uint256 tokensOut;
        uint256 rateIn;
        uint256 rateOut;
        uint256 platformKind;
        uint256 platformValue;
        uint256 modelBps;
        uint256 stakersBps;
        uint256 contributorsBps;
        Entry[] entries;
    }

    struct Parts {
        uint256 fee;
        uint256 model;
        uint256 stakers;
        uint256 contributors;
        uint256 platform;
        uint256 dust;
    }

    /// @return words The batch's totals and each receipt's parts.
    /// @return accounts The table of accounts.
    /// @return rewards What each of them gets.
    function split(bytes memory input)
        internal
        pure
        returns (uint256[] memory words, address[] memory accounts, uint256[] memory rewards)
    {
        Receipt[] memory receipts;
        (accounts, receipts) = decode(input);
        rewards = new uint256[](accounts.length);
        words = new uint256[]((receipts.length + 1) * WORDS);
        for (uint256 i; i < receipts.length; ++i) {
            Parts memory parts = divide(receipts[i], rewards);
            uint256[6] memory values =
                [parts.fee, parts.model, parts.stakers, parts.contributors, parts.platform, parts.dust];
            for (uint256 j; j < WORDS; ++j) {
                words[(i + 1) * WORDS + j] = values[j];
                words[j] += values[j];
            }
        }
    }

    function decode(bytes memory input) internal pure returns (address[] memory accounts, Receipt[] memory receipts) {
        Reader memory reader = Reader(input, 0);
        if (read(reader, 1) != 1) fail(VERSION);
        accounts = new address[](read(reader, 2));
        receipts = new Receipt[](read(reader, 2));
        if (receipts.length == 0) fail(NO_RECEIPTS);
        if (left(reader) < accounts.length * 20) fail(TRUNCATED);
        for (uint256 i; i < accounts.length; ++i) {
            accounts[i] = address(uint160(read(reader, 20)));
        }
        for (uint256 i; i < accounts.length; ++i) {
            address previous = i == 0 ? address(0) : accounts[i - 1];
            if (accounts[i] <= previous) fail(ACCOUNTS);
        }
        if (left(reader) < receipts.length * 65) fail(TRUNCATED);
        for (uint256 i; i < receipts.length; ++i) {
            receipts[i] = decodeReceipt(reader, accounts.length);
        }
        if (left(reader) != 0) fail(TRAILING_BYTES);
    }

    function decodeReceipt(Reader memory reader, uint256 accounts) internal pure returns (Receipt memory receipt) {
        receipt.tokensIn = read(reader, 4);
        receipt.tokensOut = read(reader, 4);
        receipt.rateIn = read(reader, 16);
        receipt.rateOut = read(reader, 16);
        receipt.platformKind = read(reader, 1);
        receipt.platformValue = read(reader, 16);
        receipt.modelBps = read(reader, 2);
        receipt.stakersBps = read(reader, 2);
        receipt.contributorsBps = read(reader, 2);
        uint256 entries = read(reader, 2);
        if (left(reader) < entries * 10) fail(TRUNCATED);
        receipt.entries = new Entry[](entries);
        for (uint256 i; i < entries; ++i) {
            receipt.entries[i] = Entry(read(reader, 2), int64(uint64(read(reader, 8))));
        }
        if (receipt.modelBps + receipt.stakersBps + receipt.contributorsBps != 10_000) fail(SHARES);
        if (receipt.platformKind > 1) fail(PLATFORM);
        if (receipt.platformKind == 1 && receipt.platformValue > 10_000) fail(PLATFORM);
        for (uint256 i; i < entries; ++i) {
            if (receipt.entries[i].account >= accounts) fail(ACCOUNT_INDEX);
        }
    }

    /// @dev Divides the fee of one receipt and adds what the accounts earn to `rewards`.
    function divide(Receipt memory receipt, uint256[] memory rewards) internal pure returns (Parts memory parts) {
        uint256 usage =
            (receipt.tokensIn * receipt.rateIn + 999) / 1000 + (receipt.tokensOut * receipt.rateOut + 999) / 1000;
        parts.platform = receipt.platformKind == 0 ? receipt.platformValue : usage * receipt.platformValue / 10_000;
        parts.fee = usage + parts.platform;
        if (parts.fee > type(uint128).max) fail(FEE_OVERFLOW);
        parts.model = usage * receipt.modelBps / 10_000;
        parts.stakers = usage * receipt.stakersBps / 10_000;

        uint256 pool = usage * receipt.contributorsBps / 10_000;
        uint256[] memory weights = new uint256[](rewards.length);
        uint256 total;
        for (uint256 i; i < receipt.entries.length; ++i) {
            int64 influence = receipt.entries[i].influence;
            if (influence <= 0) continue;
            weights[receipt.entries[i].account] += uint64(influence);
            total += uint64(influence);
        }
        for (uint256 i; i < weights.length; ++i) {
            if (weights[i] == 0) continue;
            uint256 reward = pool * weights[i] / total;
            rewards[i] += reward;
            parts.contributors += reward;
        }
        parts.dust = usage - parts.model - parts.stakers - parts.contributors;
    }

    /// @dev Reads the next `length` bytes as a number.
    function read(Reader memory reader, uint256 length) internal pure returns (uint256 value) {
        if (left(reader) < length) fail(TRUNCATED);
        bytes memory input = reader.input;
        uint256 position = reader.position;
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, length)), mload(add(add(input, 32), position)))
        }
        reader.position = position + length;
    }

    function left(Reader memory reader) internal pure returns (uint256) {
        return reader.input.length - reader.position;
    }

    function fail(uint8 code) internal pure {
        revert ISettleErrors.SettleInvalidInput(code);
    }
}

/// @title SettleReference
/// @notice What a chain without the precompile would deploy in its place. The precompile must agree with `split` on
/// every input; `settle` is the yardstick for its gas.
contract SettleReference is ISettleErrors {
    /// @notice Accepts the OPEN that `settle` pays out.
    receive() external payable {}

    /// @notice The parts and rewards of a batch.
    function split(bytes calldata input)
        external
        pure
        returns (uint256[] memory words, address[] memory accounts, uint256[] memory rewards)
    {
        return SettleSplit.split(input);
    }

    /// @notice Splits a batch and pays the rewards out of this contract's balance.
    function settle(bytes calldata input) external returns (uint256[] memory words) {
        address[] memory accounts;
        uint256[] memory rewards;
        (words, accounts, rewards) = SettleSplit.split(input);
        for (uint256 i; i < accounts.length; ++i) {
            if (rewards[i] == 0) continue;
            // Credited, never called: a recipient gets the stipend and no more, and its failure would be its own.
            (bool success,) = accounts[i].call{value: rewards[i], gas: 0}("");
            require(success, "transfer failed");
        }
    }
}
