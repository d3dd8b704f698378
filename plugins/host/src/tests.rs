//! Plugins as users meet them, and guests that try to do harm.

mod audit;
mod first_party;
mod hostile;
mod support;
mod template;
