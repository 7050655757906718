//! openledger-rpc
