//! openledger-primitives
