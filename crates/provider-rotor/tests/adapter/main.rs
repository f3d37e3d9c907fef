//! The adapter held against the vendor's pages: golden requests and answers, tables, and properties.

#[cfg(test)]
mod answers;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod reads;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod samples;
#[cfg(test)]
mod setup;
