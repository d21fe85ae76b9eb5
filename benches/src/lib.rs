//! What the project measures
