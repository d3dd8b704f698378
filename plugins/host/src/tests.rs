//! Plugins as users meet them, and guests that try to do harm.

mod audit;
mod cheats;
mod first_party;
mod hostile;
mod reduce;
mod support;
mod template;
