//! The pool asks of senders what blocks take from them.

use alloy_primitives::U256;

use super::actors::{Actor, genesis, rollup, user};

#[tokio::test(flavor = "multi_thread")]
async fn the_fees_of_the_newest_block_count() {
    let (datadir, l1, genesis) = (tempfile::tempdir().unwrap(), Actor::new_l1(), genesis());
    let mut config = rollup(&genesis, &l1);
    config.genesis.system_config = config.genesis.system_config.with_operator_fee(0, u64::MAX);
    let open = || Actor::configured(datadir.path(), &genesis, config.clone(), &l1, None);
    let actor = open();
    // After genesis there are no L1 attributes, and no fees.
    let funds = actor.balance(user().address());
    let affordable: u64 = (funds / U256::from(u64::MAX)).to();
    for nonce in 0..=affordable {
        actor.transfer(nonce);
    }
    actor.produce().await;
    let nonce = affordable + 1;
    for nonce in nonce..nonce + affordable {
        actor.transfer(nonce);
    }
    let too_much =
        |actor: &Actor| actor.chain.submit(actor.signed_transfer(nonce + affordable)).unwrap_err().to_string();
    let message = too_much(&actor);
    assert!(message.starts_with("insufficient funds for gas * price + value"), "{message}");

    // They are known after a restart, too.
    drop(actor);
    assert_eq!(too_much(&open()), message);
}
