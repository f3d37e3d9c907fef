//! End-to-end tests of the gateway live in `tests/`.
