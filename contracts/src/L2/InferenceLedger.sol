// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Ownable, Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IInferenceLedger} from "../interfaces/IInferenceLedger.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {ContributorTable} from "../libraries/ContributorTable.sol";
import {Predeploys} from "../libraries/Predeploys.sol";
import {SettleInput} from "../libraries/SettleInput.sol";

/// @title InferenceLedger
/// @notice Payers put OPEN into escrow and sign ceilings; operators answer, and settle what the answers cost. The
/// precompile `SETTLE` computes the fees and pays the contributors out of this contract's balance; this contract checks
/// who signed what, debits the payers and credits everybody else.
/// @dev `sum(escrow) + sum(credit) <= balance` holds after every call. A predeploy: its constructor runs when the
/// genesis is built, its code changes in hard forks.
contract InferenceLedger is IInferenceLedger, EIP712, Ownable2Step, ReentrancyGuardTransient {
    bytes32 internal constant AUTHORIZATION_TYPEHASH = keccak256(
        "PaymentAuthorization(address payer,address operator,bytes32 modelId,bytes32 scheduleId,uint256 maxFee,uint256 nonce,uint64 deadline)"
    );
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(bytes32 requestId,bytes32 modelId,bytes32 scheduleId,bytes32 datasetRoot,address payer,uint256 nonce,uint32 tokensIn,uint32 tokensOut,bytes32 promptHash,bytes32 outputHash,bytes32 influencesHash,bytes32 scoresRoot)"
    );

    /// @dev Words that `SETTLE` returns for the batch and for each receipt, and their order.
    uint256 internal constant WORDS = 6;
    uint256 internal constant FEE = 0;
    uint256 internal constant MODEL = 1;
    uint256 internal constant STAKERS = 2;
    uint256 internal constant CONTRIBUTORS = 3;
    uint256 internal constant PLATFORM = 4;
    uint256 internal constant DUST = 5;

    /// @dev `withdrawing` may exceed `balance`: a charge leaves it alone, so that it writes one slot.
    struct Escrow {
        uint128 balance;
        uint128 withdrawing;
        uint64 availableAt;
    }

    /// @dev What a batch needs to know of a model; kept from one settlement to the next, which is mostly of the same.
    struct Terms {
        bytes32 modelId;
        bytes32 scheduleId;
        address owner;
        bytes32 datasetRoot;
        IModelRegistry.FeeSchedule fees;
    }

    /// @inheritdoc IInferenceLedger
    uint64 public immutable WITHDRAWAL_DELAY;

    mapping(address payer => Escrow) internal _escrows;
    mapping(address account => uint256) internal _credits;
    mapping(address payer => mapping(uint256 word => uint256 bits)) internal _nonces;

    /// @inheritdoc IInferenceLedger
    mapping(address operator => bool) public isOperator;

    /// @inheritdoc IInferenceLedger
    mapping(bytes32 requestId => bytes32) public receiptHashOf;

    /// @param owner_ Registers and removes operators.
    /// @param withdrawalDelay Seconds between asking for a withdrawal and getting it.
    /// @param operators Operators from the start.
    constructor(address owner_, uint64 withdrawalDelay, address[] memory operators)
        EIP712("OpenLedger", "1")
        Ownable(owner_)
    {
        WITHDRAWAL_DELAY = withdrawalDelay;
        for (uint256 i; i < operators.length; ++i) {
            _registerOperator(operators[i]);
        }
    }

    // Escrow

    /// @inheritdoc IInferenceLedger
    function deposit() external payable {
        _deposit(msg.sender);
    }

    /// @inheritdoc IInferenceLedger
    function depositFor(address payer) external payable {
        _deposit(payer);
    }

    /// @inheritdoc IInferenceLedger
    function requestWithdrawal(uint256 amount) external {
        Escrow storage escrow = _escrows[msg.sender];
        if (amount > escrow.balance) revert InsufficientEscrow(msg.sender, escrow.balance, amount);
        uint64 availableAt = uint64(block.timestamp) + WITHDRAWAL_DELAY;
        escrow.withdrawing = uint128(amount);
        escrow.availableAt = availableAt;
        emit WithdrawalRequested(msg.sender, amount, availableAt);
    }

    /// @inheritdoc IInferenceLedger
    function withdraw(address to) external nonReentrant {
        Escrow storage escrow = _escrows[msg.sender];
        uint256 amount = escrow.withdrawing;
        if (amount == 0) revert NoWithdrawalRequested();
        if (block.timestamp < escrow.availableAt) revert WithdrawalNotReady(escrow.availableAt);
        if (amount > escrow.balance) amount = escrow.balance;
        escrow.withdrawing = 0;
        escrow.balance -= uint128(amount);
        _pay(to, amount);
    }

    /// @inheritdoc IInferenceLedger
    function withdrawalOf(address payer) external view returns (uint256 amount, uint64 availableAt) {
        Escrow storage escrow = _escrows[payer];
        return (escrow.withdrawing < escrow.balance ? escrow.withdrawing : escrow.balance, escrow.availableAt);
    }

    /// @inheritdoc IInferenceLedger
    function balanceOf(address payer) external view returns (uint256) {
        return _escrows[payer].balance;
    }

    /// @inheritdoc IInferenceLedger
    function spendableOf(address payer) external view returns (uint256) {
        Escrow storage escrow = _escrows[payer];
        return escrow.withdrawing < escrow.balance ? escrow.balance - escrow.withdrawing : 0;
    }

    function _deposit(address payer) internal {
        _escrows[payer].balance += SafeCast.toUint128(msg.value);
        emit Deposited(payer, msg.value);
    }

    // Credit

    /// @inheritdoc IInferenceLedger
    function claim(address to, uint256 amount) external nonReentrant {
        uint256 credit = _credits[msg.sender];
        if (amount > credit) revert InsufficientCredit(msg.sender, credit, amount);
        _credits[msg.sender] = credit - amount;
        _pay(to, amount);
    }

    /// @inheritdoc IInferenceLedger
    function creditOf(address account) external view returns (uint256) {
        return _credits[account];
    }

    function _pay(address to, uint256 amount) internal {
        emit Withdrawn(msg.sender, to, amount);
        (bool success,) = to.call{value: amount}("");
        if (!success) revert TransferFailed(to);
    }

    // Operators

    /// @inheritdoc IInferenceLedger
    function registerOperator(address operator) external onlyOwner {
        _registerOperator(operator);
    }

    /// @inheritdoc IInferenceLedger
    function removeOperator(address operator) external onlyOwner {
        isOperator[operator] = false;
        emit OperatorRemoved(operator);
    }

    function _registerOperator(address operator) internal {
        isOperator[operator] = true;
        emit OperatorRegistered(operator);
    }

    // Authorisations

    /// @inheritdoc IInferenceLedger
    function invalidateNonce(uint256 nonce) external {
        _useNonce(msg.sender, nonce);
        emit NonceInvalidated(msg.sender, nonce);
    }

    /// @inheritdoc IInferenceLedger
    function isNonceUsed(address payer, uint256 nonce) external view returns (bool) {
        return _nonces[payer][nonce >> 8] & (1 << (nonce & 0xff)) != 0;
    }

    /// @inheritdoc IInferenceLedger
    function authorizationDigest(Authorization calldata authorization) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(AUTHORIZATION_TYPEHASH, authorization)));
    }

    /// @inheritdoc IInferenceLedger
    function receiptDigest(Receipt calldata receipt) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(RECEIPT_TYPEHASH, receipt)));
    }

    /// @inheritdoc IInferenceLedger
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    function _useNonce(address payer, uint256 nonce) internal {
        uint256 bits = _nonces[payer][nonce >> 8];
        uint256 bit = 1 << (nonce & 0xff);
        if (bits & bit != 0) revert NonceAlreadyUsed(payer, nonce);
        _nonces[payer][nonce >> 8] = bits | bit;
    }

    // Settlement

    /// @inheritdoc IInferenceLedger
    function settle(Settlement[] calldata batch) external nonReentrant {
        if (!isOperator[msg.sender]) revert NotOperator(msg.sender);
        (address[] memory owners, bytes32[] memory receiptHashes, bytes memory input) = _prepare(batch);
        uint256[] memory words = _callSettle(input, (batch.length + 1) * WORDS);
        for (uint256 i; i < batch.length; ++i) {
            _charge(batch[i], owners[i], receiptHashes[i], words, (i + 1) * WORDS);
        }
        _credits[Predeploys.STAKE_MANAGER] += words[STAKERS];
        _credits[Predeploys.TREASURY] += words[PLATFORM] + words[DUST];
    }

    /// @dev Checks every settlement, uses up its nonce, and writes the precompile's input.
    function _prepare(Settlement[] calldata batch)
        internal
        returns (address[] memory owners, bytes32[] memory receiptHashes, bytes memory input)
    {
        uint256 entries = _countEntries(batch);
        address[] memory accounts = ContributorTable.open(batch, entries);
        if (accounts.length > type(uint16).max) revert InvalidBatchSize();

        owners = new address[](batch.length);
        receiptHashes = new bytes32[](batch.length);
        uint256 cursor;
        (input, cursor) = SettleInput.create(accounts, batch.length, entries);
        Terms memory terms;
        for (uint256 i; i < batch.length; ++i) {
            Settlement calldata settlement = batch[i];
            receiptHashes[i] = _accept(settlement, terms);
            owners[i] = terms.owner;
            cursor = _putSettlement(cursor, settlement, terms.fees);
        }
        ContributorTable.close(accounts);
    }

    function _countEntries(Settlement[] calldata batch) internal pure returns (uint256 entries) {
        if (batch.length == 0 || batch.length > type(uint16).max) revert InvalidBatchSize();
        for (uint256 i; i < batch.length; ++i) {
            uint256 length = batch[i].contributors.length;
            if (length != batch[i].influences.length) revert ReceiptMismatch(batch[i].receipt.requestId);
            if (length > type(uint16).max) revert InvalidBatchSize();
            entries += length;
        }
    }

    /// @dev Whether this settlement may be charged at all; what it costs is known only later.
    function _accept(Settlement calldata settlement, Terms memory terms) internal returns (bytes32 receiptHash) {
        Authorization calldata authorization = settlement.authorization;
        Receipt calldata receipt = settlement.receipt;
        if (authorization.operator != msg.sender) revert WrongOperator(authorization.operator, msg.sender);
        if (block.timestamp > authorization.deadline) revert AuthorizationExpired(authorization.deadline);
        _loadTerms(terms, authorization.modelId, authorization.scheduleId);

        if (
            receipt.requestId != keccak256(abi.encode(authorization.payer, authorization.nonce))
                || receipt.payer != authorization.payer || receipt.nonce != authorization.nonce
                || receipt.modelId != authorization.modelId || receipt.scheduleId != authorization.scheduleId
                || receipt.datasetRoot != terms.datasetRoot
                || receipt.influencesHash != keccak256(abi.encode(settlement.contributors, settlement.influences))
        ) revert ReceiptMismatch(receipt.requestId);

        _useNonce(authorization.payer, authorization.nonce);
        if (!SignatureChecker.isValidSignatureNowCalldata(
                authorization.payer, authorizationDigest(authorization), settlement.payerSignature
            )) revert InvalidPayerSignature(authorization.payer);
        receiptHash = receiptDigest(receipt);
        if (!SignatureChecker.isValidSignatureNowCalldata(msg.sender, receiptHash, settlement.operatorSignature)) {
            revert InvalidOperatorSignature(msg.sender);
        }
        receiptHashOf[receipt.requestId] = receiptHash;
    }

    function _loadTerms(Terms memory terms, bytes32 modelId, bytes32 scheduleId) internal view {
        if (terms.owner != address(0) && terms.modelId == modelId && terms.scheduleId == scheduleId) return;
        (terms.owner, terms.datasetRoot, terms.fees) =
            IModelRegistry(Predeploys.MODEL_REGISTRY).termsOf(modelId, scheduleId);
        terms.modelId = modelId;
        terms.scheduleId = scheduleId;
    }

    function _putSettlement(uint256 cursor, Settlement calldata settlement, IModelRegistry.FeeSchedule memory fees)
        internal
        view
        returns (uint256)
    {
        address[] calldata contributors = settlement.contributors;
        int64[] calldata influences = settlement.influences;
        cursor = SettleInput.putReceipt(
            cursor, settlement.receipt.tokensIn, settlement.receipt.tokensOut, fees, contributors.length
        );
        for (uint256 i; i < contributors.length; ++i) {
            cursor = SettleInput.putEntry(cursor, ContributorTable.indexOf(contributors[i]), influences[i]);
        }
        return cursor;
    }

    function _callSettle(bytes memory input, uint256 expectedWords) internal returns (uint256[] memory words) {
        (bool success, bytes memory output) = Predeploys.SETTLE.call(input);
        if (!success) {
            assembly ("memory-safe") {
                revert(add(output, 32), mload(output))
            }
        }
        if (output.length != expectedWords * 32) revert SettleUnavailable();
        assembly ("memory-safe") {
            words := output
            mstore(words, expectedWords)
        }
    }

    function _charge(
        Settlement calldata settlement,
        address owner_,
        bytes32 receiptHash,
        uint256[] memory words,
        uint256 offset
    ) internal {
        address payer = settlement.authorization.payer;
        uint256 fee = words[offset + FEE];
        if (fee > settlement.authorization.maxFee) revert FeeAboveCeiling(fee, settlement.authorization.maxFee);
        uint256 balance = _escrows[payer].balance;
        if (fee > balance) revert InsufficientEscrow(payer, balance, fee);
        _escrows[payer].balance = uint128(balance - fee);
        _credits[owner_] += words[offset + MODEL];
        emit Settled(
            settlement.receipt.requestId,
            payer,
            settlement.authorization.modelId,
            receiptHash,
            fee,
            words[offset + MODEL],
            words[offset + STAKERS],
            words[offset + CONTRIBUTORS],
            words[offset + PLATFORM],
            words[offset + DUST]
        );
    }
}
