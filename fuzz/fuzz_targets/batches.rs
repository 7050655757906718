//! See `openledger_fuzz::batches`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    openledger_fuzz::batches(bytes);
});
