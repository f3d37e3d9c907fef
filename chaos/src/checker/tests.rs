//! The checker finds what is wrong: each kind of harm, made up by hand.
