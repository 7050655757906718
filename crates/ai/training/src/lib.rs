//! openledger-training
