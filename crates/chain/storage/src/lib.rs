//! openledger-storage
