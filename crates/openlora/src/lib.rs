//! openledger-openlora
