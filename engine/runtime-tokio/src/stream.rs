//! Byte streams over TCP.
//!
//! Invariant: a socket is bound to the control lane's runtime when it is made, so it works wherever
//! it is polled. Small writes leave at once: whoever wants larger ones gathers them before.
#![expect(
    clippy::disallowed_types,
    reason = "the fence points here: these are the real `World::connect` and `World::listen`"
)]

use std::io;
use std::sync::Arc;

use sameriver_runtime::{Accept, Address, BoxFuture, ByteStream, Listener};
use tokio::net::{TcpListener, TcpStream};

use crate::control::Control;

pub(crate) fn connect(
    control: Arc<Control>,
    to: &Address,
) -> BoxFuture<io::Result<Box<dyn ByteStream>>> {
    let to = to.clone();
    Box::pin(async move {
        let stream = control.enter(TcpStream::connect(to.as_str())).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream) as Box<dyn ByteStream>)
    })
}

pub(crate) fn listen(
    control: Arc<Control>,
    at: &Address,
) -> BoxFuture<io::Result<Box<dyn Listener>>> {
    let at = at.clone();
    Box::pin(async move {
        let listener = control.enter(TcpListener::bind(at.as_str())).await?;
        let address = Address::new(listener.local_addr()?.to_string());
        Ok(Box::new(TcpAccept {
            control,
            listener,
            address,
        }) as Box<dyn Listener>)
    })
}

struct TcpAccept {
    control: Arc<Control>,
    listener: TcpListener,
    address: Address,
}

impl Listener for TcpAccept {
    fn address(&self) -> Address {
        self.address.clone()
    }

    fn accept(&mut self) -> Accept<'_> {
        Box::pin(async move {
            let (stream, _peer) = self.control.enter(self.listener.accept()).await?;
            // Fails only for a peer that is gone already: the first read tells, not the listener.
            let _ = stream.set_nodelay(true);
            Ok(Box::new(stream) as Box<dyn ByteStream>)
        })
    }
}
