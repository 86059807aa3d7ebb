//! The integration tests, in one binary: the crate and its dependencies are linked once.
