//! Keyed state: descriptors, tables, timers and the heap backend
