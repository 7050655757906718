//! openledger-trie
