//! The simulated world: seeds, faults, oracles
