//! Bindings of the L2 contracts and of the errors of `SETTLE`: their one home on the Rust side.
#![allow(missing_docs, clippy::too_many_arguments, reason = "made by `sol!`; an event has as many fields as it has")]

use crate::{FeeSchedule, Platform, SettleError, eip712};
use alloy_primitives::{B256, keccak256};
use alloy_sol_types::{SolValue, sol};

sol! {
    /// What `SETTLE` reverts with.
    #[derive(Debug, PartialEq, Eq)]
    interface ISettle {
        error SettleInvalidInput(uint8 code);
        error SettleInsufficientBalance(uint256 balance, uint256 needed);
        error SettleDelegateCall();
        error SettleStaticCall();
        error SettleValueSent();
    }

    #[derive(Debug, PartialEq, Eq)]
    interface IDatanetRegistry {
        event DatanetCreated(uint256 indexed datanetId, address indexed owner, string name);
        event VersionPublished(uint256 indexed datanetId, uint32 indexed version, bytes32 root, uint32 count, string uri);

        function createDatanet(string calldata name) external returns (uint256 datanetId);
        function publishVersion(uint256 datanetId, bytes32 root, uint32 count, string calldata uri) external returns (uint32 version);
        function datanet(uint256 datanetId) external view returns (address owner, string memory name, uint32 latestVersion);
        function versionOf(uint256 datanetId, uint32 version) external view returns (bytes32 root, uint32 count, string memory uri);
        function isRoot(bytes32 root) external view returns (bool);

        error UnknownDatanet(uint256 datanetId);
        error UnknownVersion(uint256 datanetId, uint32 version);
        error NotDatanetOwner(uint256 datanetId, address caller);
        error InvalidName();
        error InvalidUri();
        error EmptyVersion();
    }

    #[derive(Debug, PartialEq, Eq)]
    interface IModelRegistry {
        struct FeeSchedule {
            uint128 rateIn;
            uint128 rateOut;
            uint8 platformKind;
            uint128 platformValue;
            uint16 modelBps;
            uint16 stakersBps;
            uint16 contributorsBps;
        }

        struct Model {
            address owner;
            bytes32 backbone;
            bytes32 adapter;
            bytes32 datasetRoot;
            FeeSchedule fees;
            string uri;
        }

        event ModelRegistered(bytes32 indexed modelId, address indexed owner, bytes32 backbone, bytes32 adapter, bytes32 datasetRoot, string uri);
        event FeeScheduleChanged(bytes32 indexed modelId, bytes32 scheduleId);

        function register(bytes32 backbone, bytes32 adapter, bytes32 datasetRoot, FeeSchedule calldata fees, string calldata uri) external returns (bytes32 modelId);
        function setFeeSchedule(bytes32 modelId, FeeSchedule calldata fees) external;
        function model(bytes32 modelId) external view returns (Model memory);
        function scheduleId(bytes32 modelId) external view returns (bytes32);
        function SCHEDULE_GRACE() external view returns (uint64);
        function termsOf(bytes32 modelId, bytes32 scheduleId) external view returns (address owner, bytes32 datasetRoot, FeeSchedule memory fees);

        error UnknownModel(bytes32 modelId);
        error ScheduleChanged(bytes32 expected, bytes32 actual);
        error AlreadyRegistered(bytes32 modelId);
        error NotModelOwner(bytes32 modelId, address caller);
        error UnknownDatasetRoot(bytes32 root);
        error InvalidFeeSchedule();
        error ScheduleChangedTooRecently(uint64 allowedAt);
        error EmptyBackbone();
        error InvalidUri();
    }

    #[derive(Debug, PartialEq, Eq)]
    interface IInferenceLedger {
        struct Authorization {
            address payer;
            address operator;
            bytes32 modelId;
            bytes32 scheduleId;
            uint256 maxFee;
            uint256 nonce;
            uint64 deadline;
        }

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

        struct Settlement {
            Authorization authorization;
            bytes payerSignature;
            Receipt receipt;
            bytes operatorSignature;
            address[] contributors;
            int64[] influences;
        }

        event Deposited(address indexed payer, uint256 amount);
        event Withdrawn(address indexed account, address indexed to, uint256 amount);
        event OperatorRegistered(address indexed operator);
        event OperatorRemoved(address indexed operator);
        event WithdrawalRequested(address indexed payer, uint256 amount, uint64 availableAt);
        event NonceInvalidated(address indexed payer, uint256 nonce);
        event Settled(
            bytes32 indexed requestId, address indexed payer, bytes32 indexed modelId, bytes32 receiptHash,
            uint256 fee, uint256 model, uint256 stakers, uint256 contributors, uint256 platform, uint256 dust
        );

        function deposit() external payable;
        function depositFor(address payer) external payable;
        function requestWithdrawal(uint256 amount) external;
        function withdraw(address to) external;
        function WITHDRAWAL_DELAY() external view returns (uint64);
        function withdrawalOf(address payer) external view returns (uint256 amount, uint64 availableAt);
        function balanceOf(address payer) external view returns (uint256);
        function spendableOf(address payer) external view returns (uint256);
        function claim(address to, uint256 amount) external;
        function creditOf(address account) external view returns (uint256);
        function settle(Settlement[] calldata batch) external;
        function isNonceUsed(address payer, uint256 nonce) external view returns (bool);
        function invalidateNonce(uint256 nonce) external;
        function registerOperator(address operator) external;
        function removeOperator(address operator) external;
        function receiptHashOf(bytes32 requestId) external view returns (bytes32);
        function isOperator(address operator) external view returns (bool);
        function authorizationDigest(Authorization calldata authorization) external view returns (bytes32);
        function receiptDigest(Receipt calldata receipt) external view returns (bytes32);
        function domainSeparator() external view returns (bytes32);

        error NotOperator(address caller);
        error WrongOperator(address expected, address caller);
        error AuthorizationExpired(uint64 deadline);
        error InvalidPayerSignature(address payer);
        error InvalidOperatorSignature(address operator);
        error NonceAlreadyUsed(address payer, uint256 nonce);
        error FeeAboveCeiling(uint256 fee, uint256 maxFee);
        error InsufficientEscrow(address payer, uint256 balance, uint256 fee);
        error UnknownModel(bytes32 modelId);
        error ScheduleChanged(bytes32 expected, bytes32 actual);
        error ReceiptMismatch(bytes32 requestId);
        error InsufficientCredit(address account, uint256 credit, uint256 amount);
        error NoWithdrawalRequested();
        error WithdrawalNotReady(uint64 availableAt);
        error InvalidBatchSize();
        error SettleUnavailable();
        error TransferFailed(address to);
    }
}

impl From<FeeSchedule> for IModelRegistry::FeeSchedule {
    fn from(schedule: FeeSchedule) -> Self {
        let (platform_kind, platform_value) = schedule.platform.to_parts();
        Self {
            rateIn: schedule.rate_in,
            rateOut: schedule.rate_out,
            platformKind: platform_kind,
            platformValue: platform_value,
            modelBps: schedule.model_bps,
            stakersBps: schedule.stakers_bps,
            contributorsBps: schedule.contributors_bps,
        }
    }
}

impl TryFrom<&IModelRegistry::FeeSchedule> for FeeSchedule {
    type Error = SettleError;

    fn try_from(fees: &IModelRegistry::FeeSchedule) -> Result<Self, SettleError> {
        let schedule = Self {
            rate_in: fees.rateIn,
            rate_out: fees.rateOut,
            platform: Platform::from_parts(fees.platformKind, fees.platformValue)?,
            model_bps: fees.modelBps,
            stakers_bps: fees.stakersBps,
            contributors_bps: fees.contributorsBps,
        };
        schedule.validate()?;
        Ok(schedule)
    }
}

impl FeeSchedule {
    /// `keccak256(abi.encode(fees))`, what payer and operator sign for.
    pub fn id(&self) -> B256 {
        keccak256(IModelRegistry::FeeSchedule::from(*self).abi_encode())
    }
}

impl From<eip712::PaymentAuthorization> for IInferenceLedger::Authorization {
    fn from(signed: eip712::PaymentAuthorization) -> Self {
        let eip712::PaymentAuthorization { payer, operator, modelId, scheduleId, maxFee, nonce, deadline } = signed;
        Self { payer, operator, modelId, scheduleId, maxFee, nonce, deadline }
    }
}

impl From<eip712::Receipt> for IInferenceLedger::Receipt {
    fn from(receipt: eip712::Receipt) -> Self {
        let eip712::Receipt {
            requestId,
            modelId,
            scheduleId,
            datasetRoot,
            payer,
            nonce,
            tokensIn,
            tokensOut,
            promptHash,
            outputHash,
            influencesHash,
            scoresRoot,
        } = receipt;
        Self {
            requestId,
            modelId,
            scheduleId,
            datasetRoot,
            payer,
            nonce,
            tokensIn,
            tokensOut,
            promptHash,
            outputHash,
            influencesHash,
            scoresRoot,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::U256;

    #[test]
    fn schedule_id_is_the_hash_of_seven_words() {
        let schedule = FeeSchedule {
            rate_in: 1,
            rate_out: 2,
            platform: Platform::Share(3),
            model_bps: 7000,
            stakers_bps: 1000,
            contributors_bps: 2000,
        };
        let words = [1u16, 2, 1, 3, 7000, 1000, 2000].map(|word| B256::from(U256::from(word)));
        assert_eq!(schedule.id(), keccak256(words.concat()));
        assert_eq!(FeeSchedule::try_from(&IModelRegistry::FeeSchedule::from(schedule)), Ok(schedule));
    }
}
