//! openledger-builder
