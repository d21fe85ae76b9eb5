//! The command line of a Sameriver job binary
