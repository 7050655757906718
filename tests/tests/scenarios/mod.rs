pub(crate) mod bad_input;
pub(crate) mod crashes;
pub(crate) mod lifecycle;
