use alloy_primitives::Bytes;
use openledger_batch::{
    Assembled, Batch, BatchReader, ChannelAssembler, SingleBatch, compress_channel, encode_batches, encode_frames,
    parse_frames, prune_frames,
};

/// The data of a batcher's transaction: frames, the channels that they make, and their batches. What is read is the same after it
/// was written and read again.
pub fn batches(bytes: &[u8]) {
    if let Ok(frames) = parse_frames(&Bytes::copy_from_slice(bytes)) {
        assert_eq!(encode_frames(&frames)[..], *bytes, "other frames");
        let mut assembler = ChannelAssembler::new(50);
        for frame in prune_frames(frames) {
            if let Assembled::Complete(channel) = assembler.push(&frame, 1) {
                read(&channel.data);
            }
        }
    }
    // A fuzzer finds the inside of a channel sooner without frames around it.
    read(bytes);
}

fn read(channel: &[u8]) {
    let read = singles(channel);
    let again = singles(&compress_channel(&encode_batches(&read), 1));
    assert_eq!(again, read, "other batches");
}

fn singles(channel: &[u8]) -> Vec<SingleBatch> {
    let batches = BatchReader::new(channel).into_iter().flatten();
    batches
        .map_while(|batch| match batch {
            Ok(Batch::Single(batch)) => Some(batch),
            _ => None,
        })
        .collect()
}
