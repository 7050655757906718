use crate::AttributesError;
use alloy_eips::eip1559::calc_next_block_base_fee;
use alloy_primitives::{B64, Bytes};
use op_alloy_consensus::{decode_eip_1559_params, decode_jovian_extra_data, encode_jovian_extra_data};
use openledger_primitives::{BaseFeeParams, BlockAttributes, ChainSpec, Header};

/// The base fee of the block after `parent`, in wei per gas.
///
/// EIP-1559 with the parameters that `parent` carries in its extra data (Holocene), over the larger of its gas and its data
/// footprint, and never below its minimum (Jovian). A header without such extra data stands for the chain's constants and
/// no minimum.
pub fn next_base_fee(spec: &ChainSpec, parent: &Header) -> u64 {
    let (params, minimum) = match decode_jovian_extra_data(&parent.extra_data) {
        Ok((elasticity, denominator, minimum)) => (BaseFeeParams::new(denominator.into(), elasticity.into()), minimum),
        Err(_) => (spec.base_fee_params, 0),
    };
    let used = parent.gas_used.max(parent.blob_gas_used.unwrap_or_default());
    let base_fee = parent.base_fee_per_gas.unwrap_or_default();
    calc_next_block_base_fee(used, parent.gas_limit, base_fee, params).max(minimum)
}

/// The floor that `header` sets for the base fee of the block after it, in wei per gas.
pub fn min_base_fee(header: &Header) -> u64 {
    decode_jovian_extra_data(&header.extra_data).map_or(0, |(_, _, minimum)| minimum)
}

/// The EIP-1559 parameters in the extra data of a header, as attributes carry them: denominator, elasticity.
pub(crate) fn eip_1559_params(header: &Header) -> Result<B64, AttributesError> {
    let wrong = |_| AttributesError::ExtraData;
    decode_jovian_extra_data(&header.extra_data).map_err(wrong)?;
    header.extra_data.get(1..9).and_then(|params| params.try_into().ok()).ok_or(AttributesError::ExtraData)
}

/// The extra data of a block with these attributes: version 1, denominator, elasticity, minimum base fee.
pub(crate) fn extra_data(spec: &ChainSpec, attributes: &BlockAttributes) -> Result<Bytes, AttributesError> {
    let (elasticity, denominator) = decode_eip_1559_params(attributes.eip_1559_params);
    if (elasticity == 0) != (denominator == 0) {
        return Err(AttributesError::Eip1559Params);
    }
    encode_jovian_extra_data(attributes.eip_1559_params, spec.base_fee_params, attributes.min_base_fee)
        .map_err(|_| AttributesError::Eip1559Params)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{bytes, fixed_bytes};

    const SPEC: ChainSpec = ChainSpec::new(20300);

    /// Denominator 8, elasticity 2, minimum 1000.
    fn parent() -> Header {
        Header {
            extra_data: bytes!("01 00000008 00000002 00000000000003e8"),
            gas_limit: 20_000,
            gas_used: 10_000,
            base_fee_per_gas: Some(8000),
            blob_gas_used: Some(0),
            ..Default::default()
        }
    }

    #[test]
    fn follows_the_parameters_of_the_parent() {
        assert_eq!(next_base_fee(&SPEC, &parent()), 8000);
        assert_eq!(next_base_fee(&SPEC, &Header { gas_used: 20_000, ..parent() }), 9000);
        assert_eq!(next_base_fee(&SPEC, &Header { gas_used: 0, ..parent() }), 7000);
    }

    #[test]
    fn data_counts_where_it_is_more_than_gas() {
        assert_eq!(next_base_fee(&SPEC, &Header { gas_used: 0, blob_gas_used: Some(20_000), ..parent() }), 9000);
        assert_eq!(next_base_fee(&SPEC, &Header { blob_gas_used: Some(9_999), ..parent() }), 8000);
    }

    #[test]
    fn never_falls_below_the_minimum() {
        let low = Header { gas_used: 0, base_fee_per_gas: Some(1001), ..parent() };
        assert_eq!((next_base_fee(&SPEC, &low), min_base_fee(&low)), (1000, 1000));
        assert_eq!(next_base_fee(&SPEC, &Header { base_fee_per_gas: Some(3), ..parent() }), 1000);
        let old = Header { extra_data: Bytes::new(), gas_limit: 60_000, ..parent() };
        assert_eq!((next_base_fee(&SPEC, &old), min_base_fee(&old)), (8000, 0));
    }

    #[test]
    fn extra_data_carries_the_attributes_or_the_constants() {
        let data = |eip_1559_params| {
            extra_data(&SPEC, &BlockAttributes { eip_1559_params, min_base_fee: 258, ..Default::default() })
        };
        assert_eq!(data(B64::ZERO).unwrap(), bytes!("01 000000fa 00000006 0000000000000102"));
        assert_eq!(data(fixed_bytes!("0000000800000002")).unwrap(), bytes!("01 00000008 00000002 0000000000000102"));
        assert_eq!(data(fixed_bytes!("0000000000000002")), Err(AttributesError::Eip1559Params));
        assert_eq!(data(fixed_bytes!("0000000200000000")), Err(AttributesError::Eip1559Params));
    }
}
