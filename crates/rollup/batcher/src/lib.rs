//! openledger-batcher
