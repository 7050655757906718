use crate::L1Error;

/// What a node says to a transaction that is offered to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It is in the pool, now or already.
    InPool,
    /// The nonce is used up: it, or another transaction, is on L1.
    NonceTooLow,
    /// Another transaction with this nonce is in the pool and pays too much to be replaced at this price, or the price is below
    /// what the pool takes.
    Underpriced,
    /// The account cannot pay for it, for now.
    InsufficientFunds,
    /// It can never be included.
    Rejected(String),
    /// Not to be known: L1 did not answer, or answered something that may pass.
    Unclear(L1Error),
}

impl Answer {
    /// Reads the answer of geth, reth, erigon, nethermind, besu or anvil.
    pub(crate) fn of<T>(result: Result<T, L1Error>) -> Self {
        let error = match result {
            Ok(_) => return Self::InPool,
            Err(error) => error,
        };
        let L1Error::Refused { message, .. } = &error else { return Self::Unclear(error) };
        let message = message.to_lowercase();
        let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
        if says(&["already known", "already imported", "alreadyknown", "known transaction"]) {
            Self::InPool
        } else if says(&["nonce too low", "nonce is too low", "oldnonce"]) {
            Self::NonceTooLow
        } else if says(&[
            "underpriced",
            "less than block base fee",
            "feetoolow",
            "fee too low",
            "price too low",
            "price below minimum",
        ]) {
            Self::Underpriced
        } else if says(&["insufficient funds", "insufficient balance", "insufficientfunds", "upfront cost"]) {
            Self::InsufficientFunds
        } else if says(&[
            "exceeds block gas limit",
            "intrinsic gas",
            "oversized",
            "max initcode",
            "invalid chain",
            "gas limit too",
        ]) {
            Self::Rejected(message)
        } else {
            Self::Unclear(error)
        }
    }
}

/// Whether a refused gas estimate means that the call itself fails.
pub(crate) fn is_revert(error: &L1Error) -> bool {
    matches!(error, L1Error::Refused { code, message, .. } if *code == 3 || message.to_lowercase().contains("revert"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(message: &str) -> Answer {
        Answer::of::<()>(Err(L1Error::Refused {
            method: "eth_sendRawTransaction",
            code: -32000,
            message: message.into(),
        }))
    }

    #[test]
    fn answers_of_different_nodes_are_understood() {
        assert_eq!(Answer::of(Ok(())), Answer::InPool);
        assert_eq!(refused("already known"), Answer::InPool);
        assert_eq!(refused("transaction already imported"), Answer::InPool);
        assert_eq!(refused("nonce too low: next nonce 5, tx nonce 4"), Answer::NonceTooLow);
        assert_eq!(refused("replacement transaction underpriced"), Answer::Underpriced);
        assert_eq!(
            refused("transaction gas price below minimum: gas tip cap 0, minimum needed 1"),
            Answer::Underpriced
        );
        assert_eq!(refused("max fee per gas less than block base fee: address 0x.."), Answer::Underpriced);
        assert_eq!(refused("Insufficient funds for gas * price + value"), Answer::InsufficientFunds);
        assert!(matches!(refused("oversized data: transaction size 200000, limit 131072"), Answer::Rejected(_)));
        assert!(matches!(refused("internal error"), Answer::Unclear(_)));
        let timeout = L1Error::Timeout { method: "eth_sendRawTransaction", seconds: 1 };
        assert_eq!(Answer::of::<()>(Err(timeout.clone())), Answer::Unclear(timeout));
        assert!(is_revert(&L1Error::Refused {
            method: "eth_estimateGas",
            code: 3,
            message: "execution reverted".into()
        }));
    }
}
