//! openledger-attribution
