//! The configuration as a whole: what is read, what is refused, and what the shipped files say.

#[cfg(test)]
mod api_merchants;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod displayed;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod folder;
#[cfg(test)]
mod loading;
#[cfg(test)]
mod mappings;
#[cfg(test)]
mod problems;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod urls;
#[cfg(test)]
mod webhooks;
