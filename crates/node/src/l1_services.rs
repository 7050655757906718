//! The real L1 behind the traits that the tasks use.

use std::future::Future;

use alloy_eips::BlockNumHash;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::SolCall as _;
use openledger_derivation::L1Input;
use openledger_l1::{
    GasLimit, L1Client, L1Error, TxError, TxManager, TxRequest,
    contracts::OutputOracle::{OutputOracleInstance, proposeL2OutputCall},
};
use openledger_primitives::L1BlockRef;

use crate::{
    driver::{
        batcher::{BatchPoster, Posted, PosterAccount},
        proposer::{Output, OutputOracle},
    },
    l1::L1Source,
};

/// Outputs that are read at once.
const OUTPUT_PAGE: u64 = 50;

impl L1Source for L1Client {
    async fn head(&self) -> Result<L1BlockRef, L1Error> {
        Self::head(self).await
    }

    async fn settled(&self) -> Result<(L1BlockRef, L1BlockRef), L1Error> {
        Self::settled(self).await
    }

    async fn block(&self, number: u64) -> Result<Option<L1BlockRef>, L1Error> {
        Self::block(self, number).await
    }

    async fn input(&self, number: u64) -> Result<Option<L1Input>, L1Error> {
        Self::input(self, number).await
    }
}

/// The batch inbox: an address that nobody owns.
#[derive(Debug, Clone)]
pub(crate) struct Inbox {
    pub(crate) manager: TxManager,
    pub(crate) address: Address,
}

impl BatchPoster for Inbox {
    fn post(&self, data: Bytes) -> impl Future<Output = Result<Posted, TxError>> + Send + 'static {
        // In line at once, so that transactions stand on L1 in the order of these calls.
        let submitted = self.manager.submit(TxRequest {
            to: self.address,
            data,
            gas_limit: GasLimit::Calldata,
            ..Default::default()
        });
        async move {
            let confirmed = submitted.await?;
            Ok(Posted { l1_block: confirmed.block.number, gas_used: confirmed.gas_used, cost: confirmed.cost })
        }
    }

    fn account(&self) -> PosterAccount {
        let status = self.manager.status();
        PosterAccount { balance: status.balance, replaced: status.resubmitted }
    }
}

/// The `OutputOracle` contract.
#[derive(Debug, Clone)]
pub(crate) struct Oracle {
    pub(crate) client: L1Client,
    pub(crate) address: Address,
    /// The proposer's account; a verifier has none.
    pub(crate) manager: Option<TxManager>,
}

impl Oracle {
    async fn next_output_index(&self) -> Result<u64, L1Error> {
        let contract = OutputOracleInstance::new(self.address, self.client.provider());
        Ok(contract.nextOutputIndex().call().await.map_err(|error| unreadable(&error))?.saturating_to())
    }
}

impl OutputOracle for Oracle {
    async fn next_block(&self) -> Result<u64, L1Error> {
        let contract = OutputOracleInstance::new(self.address, self.client.provider());
        Ok(contract.nextBlockNumber().call().await.map_err(|error| unreadable(&error))?.saturating_to())
    }

    async fn propose(&self, output: Output, l1_block: BlockNumHash) -> Result<u64, TxError> {
        let call = proposeL2OutputCall {
            outputRoot: output.root,
            l2BlockNumber: U256::from(output.l2_block),
            l1BlockHash: l1_block.hash,
            l1BlockNumber: U256::from(l1_block.number),
        };
        let manager = self.manager.as_ref().ok_or(TxError::Stopped)?;
        let request = TxRequest { to: self.address, data: call.abi_encode().into(), ..Default::default() };
        Ok(manager.send(request).await?.block.number)
    }

    async fn outputs(&self, first: u64) -> Result<(u64, Vec<Output>), L1Error> {
        let total = self.next_output_index().await?;
        let contract = OutputOracleInstance::new(self.address, self.client.provider());
        let mut outputs = Vec::new();
        for index in first..total.min(first.saturating_add(OUTPUT_PAGE)) {
            let output = contract.getL2Output(U256::from(index)).call().await.map_err(|error| unreadable(&error))?;
            outputs.push(Output { root: B256::from(output.outputRoot), l2_block: output.l2BlockNumber as u64 });
        }
        Ok((total, outputs))
    }
}

/// A call that failed: L1 is away, or the contract is not there. Both may pass.
fn unreadable(error: &impl std::fmt::Display) -> L1Error {
    L1Error::Unreadable { method: "eth_call", reason: error.to_string() }
}
