use crate::{DecodeError, MAX_BATCH_TRANSACTIONS, decompress_channel};
use alloc::vec::Vec;
use alloy_eips::BlockNumHash;
use alloy_primitives::{B256, Bytes};
use alloy_rlp::{Decodable, Encodable, Header};

/// Type byte of a singular batch.
pub const SINGLE_BATCH_TYPE: u8 = 0;
/// Type byte of a span batch.
pub const SPAN_BATCH_TYPE: u8 = 1;

/// What a channel consists of. Span batches will be a second variant.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Batch {
    /// One L2 block.
    Single(SingleBatch),
}

/// The sequencer's part of one L2 block (derivation.md, "Batch Format", version 0).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SingleBatch {
    /// Hash of the L2 block before it.
    pub parent_hash: B256,
    /// The L1 origin.
    pub epoch: BlockNumHash,
    /// Timestamp of the L2 block.
    pub timestamp: u64,
    /// EIP-2718 encodings of the transactions after the deposits. Not looked into: the batch queue judges them.
    pub transactions: Vec<Bytes>,
}

impl SingleBatch {
    /// Appends `type ‖ rlp([parent_hash, epoch_number, epoch_hash, timestamp, transactions])`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.push(SINGLE_BATCH_TYPE);
        let payload_length = self.parent_hash.length()
            + self.epoch.number.length()
            + self.epoch.hash.length()
            + self.timestamp.length()
            + self.transactions.length();
        Header { list: true, payload_length }.encode(out);
        self.parent_hash.encode(out);
        self.epoch.number.encode(out);
        self.epoch.hash.encode(out);
        self.timestamp.encode(out);
        self.transactions.encode(out);
    }

    /// Reads what follows the type byte, sharing the memory of `payload`. Bytes after the list are ignored, as the
    /// specification allows.
    fn decode(payload: &Bytes) -> Result<Self, DecodeError> {
        let mut rest = &payload[..];
        let mut fields = Header::decode_bytes(&mut rest, true)?;
        let parent_hash = B256::decode(&mut fields)?;
        let number = u64::decode(&mut fields)?;
        let hash = B256::decode(&mut fields)?;
        let timestamp = u64::decode(&mut fields)?;
        let mut list = Header::decode_bytes(&mut fields, true)?;
        if !fields.is_empty() {
            return Err(DecodeError::MalformedBatch(alloy_rlp::Error::UnexpectedLength));
        }
        let mut transactions = Vec::new();
        while !list.is_empty() {
            if transactions.len() == MAX_BATCH_TRANSACTIONS {
                return Err(DecodeError::TooManyTransactions(MAX_BATCH_TRANSACTIONS));
            }
            let transaction = Header::decode_bytes(&mut list, false)?;
            transactions.push(payload.slice_ref(transaction));
        }
        Ok(Self { parent_hash, epoch: BlockNumHash { number, hash }, timestamp, transactions })
    }
}

impl Batch {
    /// Reads a batch from its type byte on.
    pub fn decode(bytes: &Bytes) -> Result<Self, DecodeError> {
        match bytes.first() {
            None => Err(DecodeError::MalformedBatch(alloy_rlp::Error::InputTooShort)),
            Some(&SINGLE_BATCH_TYPE) => SingleBatch::decode(&bytes.slice(1..)).map(Self::Single),
            Some(&SPAN_BATCH_TYPE) => Err(DecodeError::SpanBatchUnsupported),
            Some(&other) => Err(DecodeError::UnknownBatchType(other)),
        }
    }
}

/// The content of a channel before compression: the RLP string of each batch, one after the other.
pub fn encode_batches<'a>(batches: impl IntoIterator<Item = &'a SingleBatch>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoded = Vec::new();
    for batch in batches {
        encoded.clear();
        batch.encode(&mut encoded);
        encoded.as_slice().encode(&mut out);
    }
    out
}

/// Reads the batches of a channel one by one.
#[derive(Clone, Debug)]
pub struct BatchReader {
    rest: Bytes,
}

impl BatchReader {
    /// Decompresses the channel's data.
    pub fn new(channel: &[u8]) -> Result<Self, DecodeError> {
        Ok(Self { rest: decompress_channel(channel)?.into() })
    }

    fn read(&mut self) -> Result<Batch, DecodeError> {
        let mut rest = &self.rest[..];
        let bytes = Header::decode_bytes(&mut rest, false)?;
        let bytes = self.rest.slice_ref(bytes);
        self.rest = self.rest.slice(self.rest.len() - rest.len()..);
        Batch::decode(&bytes)
    }
}

impl Iterator for BatchReader {
    type Item = Result<Batch, DecodeError>;

    /// An error ends the channel: what follows a malformed batch is not read.
    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let batch = self.read();
        if batch.is_err() {
            self.rest = Bytes::new();
        }
        Some(batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compress_channel;
    use proptest::prelude::*;

    fn batch(timestamp: u64) -> SingleBatch {
        SingleBatch {
            parent_hash: B256::repeat_byte(1),
            epoch: BlockNumHash { number: 5, hash: B256::repeat_byte(2) },
            timestamp,
            transactions: [Bytes::from_static(&[2, 0xaa]), Bytes::from_static(&[0x7f])].into(),
        }
    }

    #[test]
    fn a_malformed_batch_ends_the_channel() {
        let mut rlp = encode_batches(&[batch(1), batch(2)]);
        let broken = rlp.len();
        rlp.extend(encode_batches(&[batch(3), batch(4)]));
        // The type byte of the third batch, behind its one-byte and two-byte string header.
        let type_byte = broken + rlp[broken..].iter().position(|byte| *byte == SINGLE_BATCH_TYPE).unwrap();
        rlp[type_byte] = 9;
        let read: Vec<_> = BatchReader::new(&compress_channel(&rlp, 3)).unwrap().collect();
        let expected =
            [Ok(Batch::Single(batch(1))), Ok(Batch::Single(batch(2))), Err(DecodeError::UnknownBatchType(9))];
        assert_eq!(read, expected);
        rlp[type_byte] = SPAN_BATCH_TYPE;
        let last = BatchReader::new(&compress_channel(&rlp, 3)).unwrap().last().unwrap();
        assert_eq!(last, Err(DecodeError::SpanBatchUnsupported));
    }

    #[test]
    fn whole_batches_of_a_truncated_channel_count() {
        let rlp = encode_batches(&[batch(1), batch(2)]);
        let read: Vec<_> = BatchReader::new(&compress_channel(&rlp[..rlp.len() - 1], 3)).unwrap().collect();
        assert_eq!(read[0], Ok(Batch::Single(batch(1))));
        assert!(matches!(read[1], Err(DecodeError::MalformedBatch(_))));
        assert_eq!(read.len(), 2);
    }

    #[test]
    fn extra_fields_and_nested_lists_are_malformed() {
        let mut out = Vec::from([SINGLE_BATCH_TYPE]);
        let fields: [&dyn Encodable; 6] = [&B256::ZERO, &1u64, &B256::ZERO, &1u64, &Vec::<Bytes>::new(), &1u64];
        Header { list: true, payload_length: fields.iter().map(|field| field.length()).sum() }.encode(&mut out);
        fields.iter().for_each(|field| field.encode(&mut out));
        assert!(matches!(Batch::decode(&out.into()), Err(DecodeError::MalformedBatch(_))));

        let mut out = Vec::from([SINGLE_BATCH_TYPE]);
        let nested = alloc::vec![Vec::<Bytes>::new()];
        let fields: [&dyn Encodable; 5] = [&B256::ZERO, &1u64, &B256::ZERO, &1u64, &nested];
        Header { list: true, payload_length: fields.iter().map(|field| field.length()).sum() }.encode(&mut out);
        fields.iter().for_each(|field| field.encode(&mut out));
        assert!(matches!(Batch::decode(&out.into()), Err(DecodeError::MalformedBatch(_))));
    }

    fn any_batch() -> impl Strategy<Value = SingleBatch> {
        let transactions = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8);
        (any::<[u8; 32]>(), any::<u64>(), any::<[u8; 32]>(), any::<u64>(), transactions).prop_map(
            |(parent, number, hash, timestamp, transactions)| SingleBatch {
                parent_hash: parent.into(),
                epoch: BlockNumHash { number, hash: hash.into() },
                timestamp,
                transactions: transactions.into_iter().map(Bytes::from).collect(),
            },
        )
    }

    proptest! {
        #[test]
        fn batches_survive_the_round_trip(batches in proptest::collection::vec(any_batch(), 0..5)) {
            let channel = compress_channel(&encode_batches(&batches), 4);
            let read: Result<Vec<_>, _> = BatchReader::new(&channel).unwrap().collect();
            prop_assert_eq!(read.unwrap(), batches.into_iter().map(Batch::Single).collect::<Vec<_>>());
        }

        #[test]
        fn arbitrary_rlp_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let reader = BatchReader { rest: bytes.clone().into() };
            reader.for_each(drop);
            let _ = SingleBatch::decode(&bytes.into());
        }

        #[test]
        fn damaged_batches_never_panic(batch in any_batch(), at in any::<proptest::sample::Index>(), byte in any::<u8>()) {
            let mut rlp = encode_batches(&[batch]);
            let at = at.index(rlp.len());
            rlp[at] = byte;
            BatchReader { rest: rlp.into() }.for_each(drop);
        }
    }
}
