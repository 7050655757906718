//! openledger-derivation
