//! The control plane: pure decisions about a job
