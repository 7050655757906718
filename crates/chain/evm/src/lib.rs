//! openledger-evm
