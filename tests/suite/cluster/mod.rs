//! More than one machine: the ledger in PostgreSQL, and many workers on it.

mod parts;
