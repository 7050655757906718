use std::{collections::BTreeMap, sync::Arc};

use alloy_primitives::{Address, B256};
use alloy_signer::SignerSync;
use openledger_attribution::{
    BatchBuilder, MerkleTree, SettleError, SignedAuthorization, Usage, eip712, merkle::score_leaf,
};
use openledger_influence::Index;

use super::record::{Contributor, Receipt, Record, Score, Settlement};
use crate::payment::{Chain, Terms, now};

/// An answer, as far as a receipt speaks of it.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) model: String,
    pub(crate) prompt: String,
    pub(crate) output: String,
    pub(crate) usage: Usage,
}

/// The influence of every datum on an answer.
#[derive(Debug, Clone)]
pub(crate) struct Attribution {
    pub(crate) index: Arc<Index>,
    /// In order of datum ids; positive means that the datum helped.
    pub(crate) scores: Vec<i64>,
}

/// Why no receipt can be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The fee cannot be split.
    #[error("the fee cannot be split: {0}")]
    Split(#[from] SettleError),
    /// The key refused.
    #[error("the receipt cannot be signed: {0}")]
    Sign(#[from] alloy_signer::Error),
}

/// Makes and signs the receipt of an answer.
pub(crate) fn build(
    chain: &Chain,
    chain_id: u64,
    authorization: SignedAuthorization,
    terms: &Terms,
    answer: Answer,
    attribution: Option<&Attribution>,
) -> Result<Record, BuildError> {
    let paid = attribution.map(sum_by_contributor).unwrap_or_default();
    let entries: Vec<(Address, i64)> = paid.iter().map(|(&account, &(influence, _))| (account, influence)).collect();
    let split = BatchBuilder::default().receipt(answer.usage, terms.schedule, entries.clone()).build()?.split()?;
    let (accounts, influences): (Vec<Address>, Vec<i64>) = entries.into_iter().unzip();
    let (scores, scores_root) = attribution.map(scores).unwrap_or_default();
    let request_id = eip712::request_id(authorization.payer, authorization.nonce);
    let receipt = Receipt {
        request_id,
        model_id: terms.model_id,
        schedule_id: terms.schedule_id,
        dataset_root: terms.dataset_root,
        payer: authorization.payer,
        nonce: authorization.nonce,
        tokens_in: answer.usage.tokens_in,
        tokens_out: answer.usage.tokens_out,
        prompt_hash: eip712::text_hash(&answer.prompt),
        output_hash: eip712::text_hash(&answer.output),
        influences_hash: eip712::influences_hash(&accounts, &influences),
        scores_root,
    };
    let receipt_hash = eip712::signing_hash(&eip712::Receipt::from(&receipt), &eip712::domain(chain_id, chain.ledger));
    let signature = chain.signer.sign_hash_sync(&receipt_hash)?;
    let contributors = paid.into_iter().map(|(account, (influence, name))| Contributor {
        account,
        name,
        influence,
        reward: split.rewards.get(&account).copied().unwrap_or_default(),
    });
    Ok(Record {
        request_id,
        chain_id,
        verifying_contract: chain.ledger,
        model: answer.model,
        authorization,
        receipt,
        receipt_hash,
        operator_signature: signature.as_bytes().into(),
        schedule: terms.schedule_json(),
        split: split.totals.into(),
        contributors: contributors.collect(),
        scores,
        created: now(),
        settlement: Settlement::pending(),
    })
}

/// Each contributor's positive influences, in order of addresses: `W_a` of the specification.
fn sum_by_contributor(attribution: &Attribution) -> BTreeMap<Address, (i64, String)> {
    let mut sums = BTreeMap::new();
    for (datum, &score) in attribution.index.data().iter().zip(&attribution.scores) {
        // The zero address cannot be paid; a dataset that names it has given those rewards to the others.
        if score > 0 && !datum.contributor.is_zero() {
            sums.entry(datum.contributor).or_insert_with(|| (0i64, datum.contributor_name.clone())).0 += score;
        }
    }
    sums
}

fn scores(attribution: &Attribution) -> (Vec<Score>, B256) {
    let scores: Vec<Score> = attribution
        .index
        .data()
        .iter()
        .zip(&attribution.scores)
        .map(|(datum, &influence)| Score {
            datum_id: datum.id,
            contributor: datum.contributor,
            content_hash: datum.content_hash,
            influence,
        })
        .collect();
    let leaves: Vec<B256> = scores.iter().map(|score| score_leaf(score.datum_id, score.influence)).collect();
    let root = MerkleTree::new(&leaves).map_or(B256::ZERO, |tree| tree.root());
    (scores, root)
}
