//! openledger-influence
