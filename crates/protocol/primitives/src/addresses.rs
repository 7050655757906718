//! Where things live: OP Stack predeploys keep their addresses, OpenLedger's own start at `0x4f4c…01` ("OL").

use alloy_primitives::{Address, U160, address};

/// Wrapped OPEN, an ERC-20 over the native coin.
pub const WRAPPED_OPEN: Address = address!("4200000000000000000000000000000000000006");
/// `L2CrossDomainMessenger`.
pub const L2_CROSS_DOMAIN_MESSENGER: Address = address!("4200000000000000000000000000000000000007");
/// `GasPriceOracle`.
pub const GAS_PRICE_ORACLE: Address = address!("420000000000000000000000000000000000000F");
/// `L2StandardBridge`.
pub const L2_STANDARD_BRIDGE: Address = address!("4200000000000000000000000000000000000010");
/// Receives priority fees.
pub const SEQUENCER_FEE_VAULT: Address = address!("4200000000000000000000000000000000000011");
/// `L1Block`, which holds the attributes of the L1 origin.
pub const L1_BLOCK: Address = address!("4200000000000000000000000000000000000015");
/// `L2ToL1MessagePasser`, whose storage root withdrawals are proven against.
pub const L2_TO_L1_MESSAGE_PASSER: Address = address!("4200000000000000000000000000000000000016");
/// Receives base fees.
pub const BASE_FEE_VAULT: Address = address!("4200000000000000000000000000000000000019");
/// Receives L1 data fees.
pub const L1_FEE_VAULT: Address = address!("420000000000000000000000000000000000001A");
/// Receives operator fees.
pub const OPERATOR_FEE_VAULT: Address = address!("420000000000000000000000000000000000001B");

/// `InferenceLedger`: escrow, receipts, settlement.
pub const INFERENCE_LEDGER: Address = address!("4f4c000000000000000000000000000000000001");
/// `ModelRegistry`.
pub const MODEL_REGISTRY: Address = address!("4f4c000000000000000000000000000000000002");
/// `DatanetRegistry`.
pub const DATANET_REGISTRY: Address = address!("4f4c000000000000000000000000000000000003");
/// `StakeManager`; holds the stakers' credit.
pub const STAKE_MANAGER: Address = address!("4f4c000000000000000000000000000000000004");
/// `Treasury`; holds the treasury's credit.
pub const TREASURY: Address = address!("4f4c000000000000000000000000000000000008");

/// The `SETTLE` precompile (docs/spec/settlement.md).
pub const SETTLE: Address = address!("000000000000000000000000000000000000A001");
/// The `INFLUENCE` precompile's address, reserved: a call to it is a call to an empty account until it exists.
pub const INFLUENCE: Address = address!("000000000000000000000000000000000000A002");

/// Sender of the L1 attributes deposit.
pub const L1_ATTRIBUTES_DEPOSITOR: Address = address!("deaddeaddeaddeaddeaddeaddeaddeaddead0001");

/// Added to the address of an L1 contract that deposits, so that it cannot act as an L2 account at the same address.
pub const L1_TO_L2_ALIAS_OFFSET: Address = address!("1111000000000000000000000000000000001111");

/// The sender that a deposit by the L1 contract `address` has on the L2.
pub fn apply_l1_to_l2_alias(address: Address) -> Address {
    to_address(to_number(address).wrapping_add(to_number(L1_TO_L2_ALIAS_OFFSET)))
}

/// The L1 contract behind an aliased sender.
pub fn undo_l1_to_l2_alias(address: Address) -> Address {
    to_address(to_number(address).wrapping_sub(to_number(L1_TO_L2_ALIAS_OFFSET)))
}

fn to_number(address: Address) -> U160 {
    U160::from_be_bytes(address.into_array())
}

fn to_address(number: U160) -> Address {
    Address::from(number.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alias_wraps_around_and_back() {
        let high = address!("ffffffffffffffffffffffffffffffffffffffff");
        assert_eq!(apply_l1_to_l2_alias(high), address!("1111000000000000000000000000000000001110"));
        assert_eq!(undo_l1_to_l2_alias(apply_l1_to_l2_alias(high)), high);
        assert_eq!(apply_l1_to_l2_alias(Address::ZERO), L1_TO_L2_ALIAS_OFFSET);
    }
}
