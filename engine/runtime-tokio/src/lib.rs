//! The real world: clocks, tasks, sockets and disks on tokio
