//! The contract of the store, promise by promise.
