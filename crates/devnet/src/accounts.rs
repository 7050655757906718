//! Development accounts. Their keys are public knowledge: the first ten are those of the phrase "test test test test test
//! test test test test test test junk", which anvil funds, and contributors' keys are hashes of their names. Whoever sends
//! real value to any of them loses it.

use alloy::{
    primitives::{Address, B256, b256, keccak256},
    signers::local::PrivateKeySigner,
};
use serde::{Deserialize, Serialize};

/// Names and keys of the accounts with a role, in the order of the phrase.
const ROLES: [(&str, B256); 10] = [
    ("deployer", b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")),
    ("batcher", b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")),
    ("proposer", b256!("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a")),
    ("operator", b256!("7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6")),
    ("developer", b256!("47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a")),
    ("payer", b256!("8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba")),
    ("alice", b256!("92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e")),
    ("bob", b256!("4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356")),
    ("carol", b256!("dbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97")),
    ("dave", b256!("2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6")),
];

/// An account whose private key is in `devnet.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What it does in the demo, or a contributor's name.
    pub name: String,
    /// Its address, the same on both layers.
    pub address: Address,
    /// Its private key, public knowledge.
    pub private_key: B256,
}

impl Account {
    fn new(name: &str, private_key: B256) -> Self {
        let signer =
            PrivateKeySigner::from_bytes(&private_key).expect("a hash is a valid key but with negligible probability");
        Self { name: name.to_owned(), address: signer.address(), private_key }
    }

    /// The account with this role; every role is in [`roles`].
    ///
    /// # Panics
    /// When there is no such role: roles are named in code only.
    pub fn role(name: &str) -> Self {
        let (name, key) = ROLES.iter().find(|(role, _)| *role == name).expect("a role of the devnet");
        Self::new(name, *key)
    }

    /// The account of the contributor called `name`: the same in every devnet.
    pub fn contributor(name: &str) -> Self {
        Self::new(name, keccak256(format!("openledger devnet contributor: {name}")))
    }

    /// Signs for this account.
    pub fn signer(&self) -> PrivateKeySigner {
        PrivateKeySigner::from_bytes(&self.private_key).expect("checked when the account was made")
    }
}

/// All accounts with a role.
pub fn roles() -> Vec<Account> {
    ROLES.iter().map(|(name, key)| Account::new(name, *key)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::address;

    #[test]
    fn roles_are_the_accounts_that_anvil_funds() {
        let accounts = roles();
        assert_eq!(accounts[0].address, address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266"));
        assert_eq!(accounts[5], Account::role("payer"));
        assert_eq!(accounts[9].address, address!("a0Ee7A142d267C1f36714E4a8F75612F20a79720"));
    }

    #[test]
    fn contributors_keep_their_address_and_differ() {
        assert_eq!(Account::contributor("bygglov"), Account::contributor("bygglov"));
        assert_ne!(Account::contributor("bygglov").address, Account::contributor("vvs").address);
    }
}
