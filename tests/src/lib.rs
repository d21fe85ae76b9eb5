//! What the project promises, held from outside
