//! openledger-txpool
