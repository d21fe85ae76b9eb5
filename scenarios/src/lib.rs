//! Stories told once: jobs, workloads and promises, and the binary that runs them
