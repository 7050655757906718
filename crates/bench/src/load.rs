//! Sends what is signed, keeps a bounded number in flight, and sees it being included.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use alloy_primitives::{
    B256,
    bytes::Bytes,
    hex,
    map::{B256Map, B256Set},
};
use rayon::prelude::*;
use tokio::{
    sync::{Mutex, Semaphore},
    task::JoinSet,
};

use crate::{
    BenchError,
    account::Signed,
    rpc::{Answer, Rpc},
};

/// How often the next block is asked for: this is the resolution of the time to inclusion.
pub(crate) const POLL: Duration = Duration::from_millis(10);
/// A request is not made longer than this by further transactions.
const BODY_BYTES: usize = 512 << 10;
/// Receipts in one request.
const RECEIPTS: usize = 50;

/// How it is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// Transactions in one HTTP request, at most.
    pub(crate) batch: usize,
    /// Transactions sent and not yet included, at most.
    pub(crate) in_flight: usize,
    /// Each connection sends a request so often; as fast as it can without.
    pub(crate) every: Option<Duration>,
    /// Nothing more is sent after this.
    pub(crate) send_for: Duration,
    /// What was sent is waited for until this much later.
    pub(crate) wait_for: Duration,
}

/// What happened.
#[derive(Debug)]
pub(crate) struct Load {
    /// From the start to the last inclusion that was seen.
    pub(crate) elapsed: Duration,
    /// From before the request to the sight of the block, ascending.
    pub(crate) latencies: Vec<Duration>,
    /// Used by the blocks that hold them.
    pub(crate) gas: u64,
    /// Everything that was sent and included.
    pub(crate) included: B256Set,
    /// Transactions that were accepted and did not get into a block in time.
    pub(crate) left: usize,
}

/// Several transactions as the body of one request.
#[derive(Clone, Debug)]
pub(crate) struct Batch {
    hashes: Vec<B256>,
    body: Bytes,
}

struct Flight {
    waiting: Mutex<B256Map<Instant>>,
    room: Semaphore,
    all_sent: AtomicBool,
}

/// Makes the bodies, before the clock starts.
pub(crate) fn batches(lanes: Vec<Vec<Signed>>, size: usize) -> Vec<Vec<Batch>> {
    let cut = |lane: Vec<Signed>| {
        let mut batches = Vec::new();
        let mut rest = lane.as_slice();
        while !rest.is_empty() {
            let mut bytes = 0;
            let fits = |signed: &&Signed| {
                bytes += 2 * signed.raw.len();
                bytes <= BODY_BYTES
            };
            let count = rest.iter().take(size).take_while(fits).count().max(1);
            let (first, others) = rest.split_at(count);
            batches.push(Batch::new(first));
            rest = others;
        }
        batches
    };
    lanes.into_par_iter().map(cut).collect()
}

impl Batch {
    fn new(signed: &[Signed]) -> Self {
        let call = |(id, signed): (usize, &Signed)| {
            let raw = hex::encode_prefixed(&signed.raw);
            format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"eth_sendRawTransaction","params":["{raw}"]}}"#)
        };
        let calls: Vec<String> = signed.iter().enumerate().map(call).collect();
        let body = format!("[{}]", calls.join(",")).into();
        Self { hashes: signed.iter().map(|signed| signed.hash).collect(), body }
    }
}

/// Sends all lanes, each over a connection of its own, and returns when everything that was sent is included.
pub(crate) async fn run(rpc: &Rpc, lanes: Vec<Vec<Batch>>, pace: Pace) -> Result<Load, BenchError> {
    let flight = Arc::new(Flight {
        waiting: Mutex::default(),
        room: Semaphore::new(pace.in_flight),
        all_sent: AtomicBool::new(false),
    });
    let first = rpc.block_number().await? + 1;
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for lane in lanes {
        tasks.spawn(send(rpc.clone(), lane, flight.clone(), started, pace));
    }
    let sending = async {
        while let Some(sent) = tasks.join_next().await {
            sent.expect("a task that neither panics nor is aborted")?;
        }
        flight.all_sent.store(true, SeqCst);
        Ok::<_, BenchError>(())
    };
    let watching = watch(rpc, &flight, first, started, pace);
    tokio::pin!(sending, watching);
    // A node that is too slow leaves senders waiting for room: the watcher decides when it is over.
    tokio::select! {
        sent = &mut sending => sent?,
        load = &mut watching => return load,
    }
    watching.await
}

async fn send(rpc: Rpc, lane: Vec<Batch>, flight: Arc<Flight>, started: Instant, pace: Pace) -> Result<(), BenchError> {
    let until = started + pace.send_for;
    for (number, Batch { hashes, body }) in lane.into_iter().enumerate() {
        if let Some(every) = pace.every {
            tokio::time::sleep_until((started + every * number as u32).into()).await;
        }
        let room = flight.room.acquire_many(hashes.len() as u32).await.expect("the semaphore is never closed");
        // Given back one by one, as they are included.
        room.forget();
        let now = Instant::now();
        if now >= until {
            return Ok(());
        }
        flight.waiting.lock().await.extend(hashes.iter().map(|hash| (*hash, now)));
        let answer = rpc.post("eth_sendRawTransaction", body).await?;
        let answers: Vec<Answer> =
            serde_json::from_slice(&answer).map_err(|error| rpc.error("eth_sendRawTransaction", error))?;
        let refused = answers.iter().find_map(|answer| Some((answer.id, answer.error.as_ref()?)));
        if let Some((id, refusal)) = refused {
            let hash = hashes.get(id).copied().unwrap_or_default();
            return Err(BenchError::Refused { url: rpc.url(), hash, reason: refusal.message.clone() });
        }
        if answers.len() != hashes.len() {
            let reason = format!("{} answers to {} calls", answers.len(), hashes.len());
            return Err(rpc.error("eth_sendRawTransaction", reason));
        }
    }
    Ok(())
}

async fn watch(rpc: &Rpc, flight: &Flight, first: u64, started: Instant, pace: Pace) -> Result<Load, BenchError> {
    let until = started + pace.send_for + pace.wait_for;
    let (mut next, mut seen) = (first, started);
    let mut latencies = Vec::new();
    let mut included = B256Set::default();
    let mut gas = 0;
    loop {
        // Read before the waiting ones are: who sends puts them there first.
        let all_sent = flight.all_sent.load(SeqCst);
        let left = flight.waiting.lock().await.len();
        if all_sent && left == 0 || Instant::now() > until {
            latencies.sort_unstable();
            return Ok(Load { elapsed: seen - started, latencies, gas, included, left });
        }
        let Some(block) = rpc.block(next).await? else {
            tokio::time::sleep(POLL).await;
            continue;
        };
        let now = Instant::now();
        let mut waiting = flight.waiting.lock().await;
        let before = included.len();
        for hash in block.transactions {
            if let Some(sent) = waiting.remove(&hash) {
                latencies.push(now - sent);
                included.insert(hash);
            } else if included.contains(&hash) {
                return Err(BenchError::Wrong { url: rpc.url(), hash, what: "was included twice".into() });
            }
        }
        drop(waiting);
        let new = included.len() - before;
        if new > 0 {
            flight.room.add_permits(new);
            gas += block.gas_used.to::<u64>();
            seen = now;
        }
        next += 1;
    }
}

/// Checks that any `count` transactions of what was included succeeded.
pub(crate) async fn verify(rpc: &Rpc, load: &Load, count: usize) -> Result<(), BenchError> {
    let wrong = |hash, what: &str| BenchError::Wrong { url: rpc.url(), hash, what: what.into() };
    // Sets have no order, and another one in each run.
    let sample: Vec<B256> = load.included.iter().take(count).copied().collect();
    for hashes in sample.chunks(RECEIPTS) {
        let receipts = rpc.receipts(hashes).await?;
        for hash in hashes {
            match receipts.iter().find(|receipt| receipt.transaction_hash == *hash) {
                None => return Err(wrong(*hash, "has no receipt")),
                Some(receipt) if receipt.status.is_zero() => return Err(wrong(*hash, "failed")),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_bounded_in_number_and_in_bytes() {
        let signed = |bytes: usize| Signed { hash: B256::ZERO, raw: vec![0; bytes].into() };
        let sizes = |batches: &[Batch]| batches.iter().map(|batch| batch.hashes.len()).collect::<Vec<_>>();
        let lanes = vec![vec![signed(100); 7], vec![signed(BODY_BYTES / 4); 5], vec![signed(BODY_BYTES); 2]];
        let batches = batches(lanes, 3);
        assert_eq!(sizes(&batches[0]), [3, 3, 1]);
        assert_eq!(sizes(&batches[1]), [2, 2, 1]);
        assert_eq!(sizes(&batches[2]), [1, 1]);
        let body: Vec<serde_json::Value> = serde_json::from_slice(&batches[0][0].body).unwrap();
        assert_eq!(body[2]["params"][0].as_str().unwrap().len(), 2 + 200);
    }
}
