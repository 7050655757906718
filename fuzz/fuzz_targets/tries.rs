//! See `openledger_fuzz::tries`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    openledger_fuzz::tries(bytes);
});
