//! The data plane: slot loop, input gates and exchange
