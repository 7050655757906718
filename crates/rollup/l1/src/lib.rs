//! openledger-l1
