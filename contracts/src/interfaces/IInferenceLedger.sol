// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @title IInferenceLedger
/// @notice Escrow of those who ask, credit of those who answer, and the settlement between them.
interface IInferenceLedger {
    /// @notice What a payer signs before a request: who may charge how much, for which model at which price.
    /// @param payer Whose escrow is charged.
    /// @param operator Who may settle.
    /// @param modelId The model.
    /// @param scheduleId Its fee schedule.
    /// @param maxFee The ceiling, in wei.
    /// @param nonce Any number that the payer has not used.
    /// @param deadline Last second in which the authorisation can be settled.
    struct Authorization {
        address payer;
        address operator;
        bytes32 modelId;
        bytes32 scheduleId;
        uint256 maxFee;
        uint256 nonce;
        uint64 deadline;
    }

    /// @notice What an operator signs after the answer.
    /// @param requestId `keccak256(abi.encode(payer, nonce))`.
    /// @param modelId The model.
    /// @param scheduleId The fee schedule that was signed for.
    /// @param datasetRoot The model's dataset version.
    /// @param payer Who asked.
    /// @param nonce The authorisation's.
    /// @param tokensIn Prompt tokens.
    /// @param tokensOut Completion tokens.
    /// @param promptHash keccak256 of the rendered prompt.
    /// @param outputHash keccak256 of the completion.
    /// @param influencesHash `keccak256(abi.encode(contributors, influences))` of what is settled.
    /// @param scoresRoot Merkle root over the scores of all data.
    struct Receipt {
        bytes32 requestId;
        bytes32 modelId;
        bytes32 scheduleId;
        bytes32 datasetRoot;
        address payer;
        uint256 nonce;
        uint32 tokensIn;
        uint32 tokensOut;
        bytes32 promptHash;
        bytes32 outputHash;
        bytes32 influencesHash;
        bytes32 scoresRoot;
    }

    /// @notice One answer to be paid.
    /// @param authorization What the payer signed.
    /// @param payerSignature ECDSA, or ERC-1271 if the payer has code.
    /// @param receipt What the operator signed.
    /// @param operatorSignature ECDSA, or ERC-1271 if the operator has code.
    /// @param contributors Accounts to reward, in any order; repeats are summed.
    /// @param influences Their influences; those that are not positive earn nothing.
    struct Settlement {
        Authorization authorization;
        bytes payerSignature;
        Receipt receipt;
        bytes operatorSignature;
        address[] contributors;
        int64[] influences;
    }

    /// @notice `payer`'s escrow grew.
    event Deposited(address indexed payer, uint256 amount);

    /// @notice `payer` may withdraw `amount` from the time `availableAt` on.
    event WithdrawalRequested(address indexed payer, uint256 amount, uint64 availableAt);

    /// @notice `amount` of `account`'s escrow or credit was paid to `to`.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice `operator` may settle.
    event OperatorRegistered(address indexed operator);

    /// @notice `operator` may not settle any more.
    event OperatorRemoved(address indexed operator);

    /// @notice `payer` gave up a nonce.
    event NonceInvalidated(address indexed payer, uint256 nonce);

    /// @notice An answer was paid: `fee = model + stakers + contributors + platform + dust`, all in wei. Who of the
    /// contributors got how much follows from the calldata.
    event Settled(
        bytes32 indexed requestId,
        address indexed payer,
        bytes32 indexed modelId,
        bytes32 receiptHash,
        uint256 fee,
        uint256 model,
        uint256 stakers,
        uint256 contributors,
        uint256 platform,
        uint256 dust
    );

    /// @notice The caller is no registered operator.
    error NotOperator(address caller);

    /// @notice The payer authorised another operator.
    error WrongOperator(address expected, address caller);

    /// @notice The authorisation ended.
    error AuthorizationExpired(uint64 deadline);

    /// @notice The payer did not sign this authorisation.
    error InvalidPayerSignature(address payer);

    /// @notice The operator did not sign this receipt.
    error InvalidOperatorSignature(address operator);

    /// @notice The nonce was settled or given up.
    error NonceAlreadyUsed(address payer, uint256 nonce);

    /// @notice The answer costs more than the payer allowed.
    error FeeAboveCeiling(uint256 fee, uint256 maxFee);

    /// @notice The payer's escrow does not cover the amount.
    error InsufficientEscrow(address payer, uint256 balance, uint256 fee);

    /// @notice The account's credit does not cover the amount.
    error InsufficientCredit(address account, uint256 credit, uint256 amount);

    /// @notice The model is not registered.
    error UnknownModel(bytes32 modelId);

    /// @notice The price that was signed for is neither in force nor was it until recently.
    error ScheduleChanged(bytes32 expected, bytes32 actual);

    /// @notice Receipt, authorisation, influences and model do not belong together.
    error ReceiptMismatch(bytes32 requestId);

    /// @notice No settlement, or more than the precompile's counters can hold.
    error InvalidBatchSize();

    /// @notice The precompile's answer does not have its form: this chain has no `SETTLE`.
    error SettleUnavailable();

    /// @notice Nothing waits for withdrawal.
    error NoWithdrawalRequested();

    /// @notice The withdrawal has to wait until `availableAt`.
    error WithdrawalNotReady(uint64 availableAt);

    /// @notice The recipient cannot be paid.
    error TransferFailed(address to);

    /// @notice Seconds between asking for a withdrawal and getting it.
    function WITHDRAWAL_DELAY() external view returns (uint64);

    /// @notice Pays OPEN into the caller's escrow.
    function deposit() external payable;

    /// @notice Pays OPEN into another's escrow.
    function depositFor(address payer) external payable;

    /// @notice Asks for `amount` of the caller's escrow back; replaces an earlier request. Zero cancels it. Until it is
    /// withdrawn it can still be charged for what the caller signed.
    function requestWithdrawal(uint256 amount) external;

    /// @notice Pays out what was asked for, or what is left of it, after the delay.
    function withdraw(address to) external;

    /// @notice The caller's request: the amount that waits and when it may go.
    function withdrawalOf(address payer) external view returns (uint256 amount, uint64 availableAt);

    /// @notice Escrow of a payer, in wei.
    function balanceOf(address payer) external view returns (uint256);

    /// @notice Escrow of a payer less what waits for withdrawal.
    function spendableOf(address payer) external view returns (uint256);

    /// @notice Pays out the caller's credit at once.
    function claim(address to, uint256 amount) external;

    /// @notice Credit of a model owner, the stakers or the treasury, in wei.
    function creditOf(address account) external view returns (uint256);

    /// @notice Settles answers; all of them or none. Registered operators only.
    function settle(Settlement[] calldata batch) external;

    /// @notice Whether a nonce was settled or given up.
    function isNonceUsed(address payer, uint256 nonce) external view returns (bool);

    /// @notice Gives up a nonce of the caller's, and with it every authorisation that carries it.
    function invalidateNonce(uint256 nonce) external;

    /// @notice Lets `operator` settle. Owner only.
    function registerOperator(address operator) external;

    /// @notice Ends that. Owner only.
    function removeOperator(address operator) external;

    /// @notice Whether `operator` may settle.
    function isOperator(address operator) external view returns (bool);

    /// @notice EIP-712 digest of the settled receipt; zero until then.
    function receiptHashOf(bytes32 requestId) external view returns (bytes32);

    /// @notice EIP-712 digest that the payer signs.
    function authorizationDigest(Authorization calldata authorization) external view returns (bytes32);

    /// @notice EIP-712 digest that the operator signs.
    function receiptDigest(Receipt calldata receipt) external view returns (bytes32);

    /// @notice EIP-712 domain separator.
    function domainSeparator() external view returns (bytes32);
}
