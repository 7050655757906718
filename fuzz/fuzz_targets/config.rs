//! See `openledger_fuzz::config`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    openledger_fuzz::config(bytes);
});
