//! openledger-stf
