//! Both directions of a control connection at once.
//!
//! Invariant: a peer that does not read stops the writing direction only; the queue before it is
//! bounded, and whoever fills it decides what that means.

use std::pin::pin;

use sameriver_runtime::ByteStream;
use sameriver_runtime::io::split;
use sameriver_runtime::sync::mpsc;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::frame::{FrameError, FrameReader, FrameWriter};

/// Sends what comes out of `outgoing` and hands every received message to `incoming`, until the
/// peer ends its direction.
///
/// When `outgoing` is closed, our direction is ended and the peer is read to its end.
///
/// # Errors
/// [`FrameError`] when the connection broke or the peer cannot be believed.
pub(crate) async fn converse<In: DeserializeOwned, Out: Serialize, E>(
    stream: Box<dyn ByteStream>,
    frame_bytes: u32,
    mut outgoing: mpsc::Receiver<Out>,
    incoming: &mpsc::Sender<E>,
    wrap: impl Fn(In) -> E,
) -> Result<(), FrameError> {
    let (read_half, write_half) = split(stream);
    let mut reader = FrameReader::new(read_half, frame_bytes);
    let mut writer = FrameWriter::new(write_half, frame_bytes);
    let mut read = pin!(async {
        while let Some(message) = reader.read::<In>().await? {
            if incoming.send(wrap(message)).await.is_err() {
                break;
            }
        }
        Ok(())
    });
    let mut write = pin!(async {
        while let Some(message) = outgoing.recv().await {
            writer.write(&message).await?;
        }
        writer.shutdown().await
    });
    sameriver_runtime::select! {
        ended = &mut read => return ended,
        written = &mut write => written?,
    }
    read.await
}
