//! Job master, task managers and the control protocol between them
