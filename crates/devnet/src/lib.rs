//! openledger-devnet
