//! What holds for the types together: nothing of a person is shown uncovered, what is written can be read again, and words
//! are the same wherever they stand.

pub(crate) mod any;
mod covered;
pub(crate) mod filled;
mod listed;
mod round_trip;
mod stays;
mod words;
