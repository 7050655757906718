//! openledger-lora
