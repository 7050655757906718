//! openledger-backbone
