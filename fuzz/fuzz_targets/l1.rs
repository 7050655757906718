//! See `openledger_fuzz::l1`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    openledger_fuzz::l1(bytes);
});
