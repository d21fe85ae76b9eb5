//! A stateful stream processing engine whose every run can be replayed from a seed
