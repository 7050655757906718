//! openledger-node
