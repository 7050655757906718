//! openledger-batch
