//! See `openledger_fuzz::transactions`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    openledger_fuzz::transactions(bytes);
});
