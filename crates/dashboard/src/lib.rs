//! The dashboard at `/ops`: what operators and support see of the gateway.
