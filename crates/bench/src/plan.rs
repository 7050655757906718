//! What a scenario sends: everything is signed before the clock starts.

use alloy_primitives::{Address, TxKind, U256};
use alloy_sol_types::{SolCall as _, SolValue as _, sol};
use clap::ValueEnum;
use openledger_deploy::Artifacts;
use rayon::prelude::*;

use crate::{
    BenchError,
    account::{Account, Call, Signed, Terms, recipient},
    key::Key,
    settle::{self, Settlements},
};

sol! {
    function transfer(address to, uint256 amount) external returns (bool);
}

/// Tokens that each sender gets, and what one transfer moves.
const TOKENS: (u128, u128) = (1_000_000_000_000_000_000, 1);
/// A transfer to an account that has none of the token yet costs about 52,000.
const ERC20_GAS: u64 = 65_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Scenario {
    /// Transfers of native coin
    Transfer,
    /// Transfers of native coin, each to another of many accounts
    Scattered,
    /// Transfers of native coin, 100 in a second, one by one: the time to inclusion without a queue
    Light,
    /// Transfers of an ERC-20 token (OpenToken, deployed for the run)
    Erc20,
    /// Creations of a contract (WrappedOpen)
    Create,
    /// Settlements of paid inferences through InferenceLedger and the precompile SETTLE; only OpenLedger has them
    Settle,
}

impl Scenario {
    /// What the table calls it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Transfer => "native transfers",
            Self::Scattered => "scattered transfers",
            Self::Light => "light transfers",
            Self::Erc20 => "ERC-20 transfers",
            Self::Create => "contract creation",
            Self::Settle => "SETTLE batches",
        }
    }
}

/// How much is sent, and to whom.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    /// Transactions, over all senders.
    pub(crate) transactions: usize,
    /// Connections that they are spread over.
    pub(crate) lanes: usize,
    /// Accounts that receive.
    pub(crate) recipients: usize,
    /// Sets a run apart from earlier ones on the same chain, where something can be done only once.
    pub(crate) salt: u64,
}

/// Signed transactions.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What comes first, in this order, from the funder: coin for the senders, contracts, escrow.
    pub(crate) setup: Vec<Signed>,
    /// What is measured: independent of each other, in order each.
    pub(crate) lanes: Vec<Vec<Signed>>,
}

/// Makes a call from the sender's key, its index, and the call's number.
type Make = dyn Fn(&Key, usize, usize) -> Call + Send + Sync;

/// One scenario's calls.
struct Work {
    setup: Vec<Call>,
    call: Box<Make>,
}

impl Plan {
    /// Signs everything, on all cores.
    pub(crate) fn new(
        scenario: Scenario,
        size: Size,
        terms: &Terms,
        artifacts: &Artifacts,
        funder: &mut Account,
        mut senders: Vec<Account>,
    ) -> Result<Self, BenchError> {
        if scenario == Scenario::Settle {
            senders.truncate(settle::OPERATORS);
        }
        let addresses: Vec<Address> = senders.iter().map(Account::address).collect();
        let work = match scenario {
            Scenario::Transfer | Scenario::Scattered | Scenario::Light => transfers(size),
            Scenario::Erc20 => tokens(size, artifacts, funder, &addresses)?,
            Scenario::Create => creations(artifacts)?,
            Scenario::Settle => settlements(size, terms, funder.address(), &addresses),
        };
        let count = |sender: usize| {
            size.transactions / addresses.len() + usize::from(sender < size.transactions % addresses.len())
        };
        let one = |sender: usize, key: &Key| (work.call)(key, sender, 0);
        let funding = senders.iter().enumerate().map(|(index, sender)| {
            let Call { value, gas_limit, .. } = one(index, &sender.key);
            let each = U256::from(gas_limit) * U256::from(terms.max_fee) + value;
            Call::transfer(sender.address(), each * U256::from(count(index)))
        });
        let mut setup = work.setup;
        setup.extend(funding);
        let setup = setup.into_iter().map(|call| funder.sign(terms, call)).collect();
        let signed: Vec<Vec<Signed>> = senders
            .par_iter_mut()
            .enumerate()
            .map(|(index, sender)| {
                let key = sender.key.clone();
                let calls = (0..count(index)).map(|number| (work.call)(&key, index, number));
                calls.map(|call| sender.sign(terms, call)).collect()
            })
            .collect();
        Ok(Self { setup, lanes: into_lanes(signed, size.lanes) })
    }
}

/// Spreads senders over lanes; within a lane they take turns, each in the order of its nonces.
fn into_lanes(signed: Vec<Vec<Signed>>, lanes: usize) -> Vec<Vec<Signed>> {
    let mut spread: Vec<Vec<Vec<Signed>>> = vec![Vec::new(); lanes.min(signed.len())];
    for (index, sender) in signed.into_iter().enumerate() {
        let lanes = spread.len();
        spread[index % lanes].push(sender);
    }
    let take_turns = |senders: Vec<Vec<Signed>>| {
        let longest = senders.iter().map(Vec::len).max().unwrap_or_default();
        let mut senders: Vec<_> = senders.into_iter().map(Vec::into_iter).collect();
        (0..longest).flat_map(|_| senders.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
    };
    spread.into_iter().map(take_turns).collect()
}

/// The recipient of a sender's transaction: neighbours differ, and over time all are reached.
fn target(size: Size, sender: usize, number: usize) -> Address {
    recipient((sender * 7919 + number * 104_729) % size.recipients)
}

fn transfers(size: Size) -> Work {
    let call = move |_: &Key, sender, number| Call::transfer(target(size, sender, number), U256::ONE);
    Work { setup: vec![], call: Box::new(call) }
}

fn tokens(size: Size, artifacts: &Artifacts, funder: &Account, senders: &[Address]) -> Result<Work, BenchError> {
    let holder = funder.address().abi_encode();
    let token = funder.address().create(funder.nonce);
    let mut setup = vec![creation(artifacts.creation_code("OpenToken.sol", "OpenToken", &holder)?)];
    let move_to = move |to, amount| {
        let input = transferCall { to, amount: U256::from(amount) }.abi_encode();
        Call::contract(token, ERC20_GAS, input)
    };
    setup.extend(senders.iter().map(|sender| move_to(*sender, TOKENS.0)));
    let call = move |_: &Key, sender, number| move_to(target(size, sender, number), TOKENS.1);
    Ok(Work { setup, call: Box::new(call) })
}

fn creations(artifacts: &Artifacts) -> Result<Work, BenchError> {
    let create = creation(artifacts.creation_code("WrappedOpen.sol", "WrappedOpen", &[])?);
    Ok(Work { setup: vec![], call: Box::new(move |_, _, _| create.clone()) })
}

/// Creates a contract, with gas for its calldata, its code, and a constructor that writes a few slots.
fn creation(code: alloy_primitives::Bytes) -> Call {
    let bytes = code.len() as u64;
    let gas_limit = 53_000 + bytes * (40 + 200) + bytes.div_ceil(32) * 2 + 300_000;
    Call { to: TxKind::Create, value: U256::ZERO, gas_limit, input: code }
}

fn settlements(size: Size, terms: &Terms, owner: Address, operators: &[Address]) -> Work {
    let settlements = Settlements::new(size, terms.chain_id, operators.len());
    let setup = settlements.setup(owner, operators);
    Work { setup, call: Box::new(move |operator, sender, number| settlements.call(operator, sender, number)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::derived;
    use std::collections::BTreeSet;

    const TERMS: Terms = Terms { chain_id: 1, max_fee: 10 };

    fn account(text: &str) -> Account {
        Account { key: derived(text), nonce: 3 }
    }

    #[test]
    fn every_transaction_is_signed_once_and_every_sender_can_pay() {
        let mut funder = account("funder");
        let senders: Vec<_> = (0..5).map(|index| account(&index.to_string())).collect();
        let size = Size { transactions: 23, lanes: 3, recipients: 7, salt: 0 };
        let artifacts = Artifacts::new("none");
        let plan = Plan::new(Scenario::Transfer, size, &TERMS, &artifacts, &mut funder, senders).unwrap();
        assert_eq!((plan.setup.len(), plan.lanes.len(), funder.nonce), (5, 3, 8));
        let hashes: BTreeSet<_> = plan.lanes.iter().flatten().map(|signed| signed.hash).collect();
        assert_eq!(hashes.len(), 23);
    }

    #[test]
    fn senders_of_a_lane_take_turns_in_the_order_of_their_nonces() {
        let mut senders = [account("a"), account("b"), account("c")];
        let signed: Vec<Vec<Signed>> = senders
            .iter_mut()
            .enumerate()
            .map(|(index, sender)| (0..=index).map(|_| sender.sign(&TERMS, Call::transfer(Address::ZERO, U256::ONE))))
            .map(Iterator::collect)
            .collect();
        let lanes = into_lanes(signed.clone(), 2);
        let hashes = |signed: &[Signed]| signed.iter().map(|signed| signed.hash).collect::<Vec<_>>();
        let [a, b, c] = [0, 1, 2].map(|index| hashes(&signed[index]));
        assert_eq!(hashes(&lanes[0]), [a[0], c[0], c[1], c[2]]);
        assert_eq!(hashes(&lanes[1]), b);
        // One lane for each sender is the most there can be.
        assert_eq!(into_lanes(signed, 9).len(), 3);
    }
}
