//! Byte streams between two nodes.
//!
//! Invariant: no case knows how large a buffer is, only that it has an end.

use std::io::{ErrorKind, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use sameriver_runtime::io::{AsyncReadExt as _, AsyncWriteExt as _};
use sameriver_runtime::sync::oneshot;
use sameriver_runtime::{Address, ByteStream, Lane, Listener, World, select};

use super::{Nodes, at_once};

const KIB: usize = 1 << 10;
/// More than any world buffers between two ends.
const BUFFERS_BYTES_MAX: usize = 64 << 20;
/// A writer that gets nowhere for this long has been stopped.
const STOPPED_AFTER: Duration = Duration::from_millis(10);

async fn listen(world: &World) -> Box<dyn Listener> {
    let listener = world.listen(&world.any_port()).await;
    listener.expect("a free port can be listened on")
}

async fn connect(world: &World, to: &Address) -> Box<dyn ByteStream> {
    world.connect(to).await.expect("somebody listens")
}

/// Two ends of one connection: the first at the node `b`, the second at the listening node `a`.
async fn connected(nodes: &Arc<dyn Nodes>) -> (Box<dyn ByteStream>, Box<dyn ByteStream>) {
    let host = nodes.world("a");
    let mut listener = listen(&host).await;
    let address = listener.address();
    let (tx, accepted) = oneshot::channel();
    let accept = host.spawn(Lane::Control, "accept", async move {
        let stream = listener.accept().await.expect("a connection comes");
        assert!(tx.send(stream).is_ok(), "the case waits for its stream");
    });
    let near = connect(&nodes.world("b"), &address).await;
    accept.join().await.expect("accepting does not panic");
    (near, accepted.await.expect("the stream was sent"))
}

async fn read_to_end(stream: &mut Box<dyn ByteStream>) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream
        .read_to_end(&mut bytes)
        .await
        .expect("the stream ends in order");
    bytes
}

/// Bytes in which every shift shows.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// A node that listens to nothing says so at once.
pub async fn a_connection_to_nobody_is_refused(nodes: Arc<dyn Nodes>) {
    // Port 1 of a node: never given out for port 0, so nobody listens on it by chance.
    let any = nodes.world("a").any_port();
    let (host, _port) = any
        .as_str()
        .rsplit_once(':')
        .expect("an address is `host:port`");
    let nobody = Address::new(format!("{host}:1"));
    let answer = nodes.world("b").connect(&nobody).await;
    let error = answer.err().expect("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// One address has one listener.
pub async fn listening_on_a_used_address_fails(nodes: Arc<dyn Nodes>) {
    let world = nodes.world("a");
    let first = listen(&world).await;
    let error = world
        .listen(&first.address())
        .await
        .err()
        .expect("the address is used");
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

/// Accepting is cancel safe.
pub async fn an_abandoned_accept_loses_no_connection(nodes: Arc<dyn Nodes>) {
    let host = nodes.world("a");
    let mut listener = listen(&host).await;
    assert!(
        at_once(listener.accept()).await.is_none(),
        "nobody has connected"
    );
    let address = listener.address();
    let (tx, accepted) = oneshot::channel();
    let world = host.clone();
    let accept = host.spawn(Lane::Control, "accept", async move {
        let stream = loop {
            // Each round abandons an accept, perhaps while the connection comes in.
            match at_once(listener.accept()).await {
                Some(stream) => break stream.expect("a connection comes"),
                None => world.sleep(Duration::from_millis(1)).await,
            }
        };
        assert!(tx.send(stream).is_ok(), "the case waits for its stream");
    });
    let mut near = connect(&nodes.world("b"), &address).await;
    near.write_all(b"here")
        .await
        .expect("the connection is open");
    near.shutdown().await.expect("the connection is open");
    accept.join().await.expect("accepting does not panic");
    let mut far = accepted.await.expect("the stream was sent");
    assert_eq!(read_to_end(&mut far).await, b"here");
}

/// Connections of one listener do not mix.
pub async fn one_listener_accepts_many(nodes: Arc<dyn Nodes>) {
    let host = nodes.world("a");
    let mut listener = listen(&host).await;
    let address = listener.address();
    let echo = host.spawn(Lane::Control, "echo", async move {
        for _ in 0..3 {
            let mut stream = listener.accept().await.expect("a connection comes");
            let heard = read_to_end(&mut stream).await;
            stream.write_all(&heard).await.expect("the peer listens");
            stream.shutdown().await.expect("the peer listens");
        }
    });
    for name in ["b", "c", "d"] {
        let mut stream = connect(&nodes.world(name), &address).await;
        stream
            .write_all(name.as_bytes())
            .await
            .expect("the peer is there");
        stream.shutdown().await.expect("the peer is there");
        assert_eq!(read_to_end(&mut stream).await, name.as_bytes());
    }
    assert_eq!(echo.join().await, Ok(()));
}

/// Half-close: the peer reads the end, and can still answer.
pub async fn a_stream_shut_down_one_way_still_works_the_other_way(nodes: Arc<dyn Nodes>) {
    let (mut near, mut far) = connected(&nodes).await;
    near.write_all(b"question")
        .await
        .expect("the peer is there");
    near.shutdown().await.expect("the peer is there");
    assert_eq!(read_to_end(&mut far).await, b"question");
    far.write_all(b"answer")
        .await
        .expect("the other way is open");
    far.shutdown().await.expect("the other way is open");
    assert_eq!(read_to_end(&mut near).await, b"answer");
}

/// A read does not wait for its buffer to fill.
pub async fn a_read_gives_what_is_there(nodes: Arc<dyn Nodes>) {
    let (mut near, mut far) = connected(&nodes).await;
    near.write_all(b"1234").await.expect("the peer is there");
    let (mut heard, mut buffer) = (Vec::new(), [0; 64]);
    while heard.len() < 4 {
        let read = far.read(&mut buffer).await.expect("the stream is open");
        assert!(read > 0, "the stream has not ended");
        heard.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(heard, b"1234");
}

/// What did not fit into the buffer comes with the next reads.
pub async fn a_short_read_leaves_the_rest(nodes: Arc<dyn Nodes>) {
    let (mut near, mut far) = connected(&nodes).await;
    let sent = pattern(1_000);
    near.write_all(&sent).await.expect("the peer is there");
    near.shutdown().await.expect("the peer is there");
    let (mut heard, mut buffer) = (Vec::new(), [0; 7]);
    loop {
        let read = far
            .read(&mut buffer)
            .await
            .expect("the stream ends in order");
        if read == 0 {
            break;
        }
        heard.extend_from_slice(&buffer[..read]);
    }
    assert_eq!(heard, sent);
}

/// Whatever part of a write is taken, the bytes arrive once and in order.
pub async fn partial_and_vectored_writes_arrive_in_order(nodes: Arc<dyn Nodes>) {
    let (mut near, mut far) = connected(&nodes).await;
    let (tx, heard) = oneshot::channel();
    let reader = nodes.world("a").spawn(Lane::Control, "reader", async move {
        assert!(
            tx.send(read_to_end(&mut far).await).is_ok(),
            "the case waits"
        );
    });
    let sent = pattern(512 * KIB);
    let mut left = sent.as_slice();
    while !left.is_empty() {
        let (first, rest) = left.split_at(left.len().min(11));
        let (second, third) = rest.split_at(rest.len().min(100 * KIB));
        let parts = [first, &[], second, third].map(IoSlice::new);
        let taken = near
            .write_vectored(&parts)
            .await
            .expect("the peer is there");
        assert!(taken > 0, "an open stream takes something");
        left = &left[taken..];
    }
    near.shutdown().await.expect("the peer is there");
    reader.join().await.expect("reading does not panic");
    assert!(
        heard.await.expect("the bytes were sent") == sent,
        "some bytes are not in order"
    );
}

/// Back-pressure: the writer stops within a bound, and goes on when the peer reads.
pub async fn a_peer_that_never_reads_stops_its_writer(nodes: Arc<dyn Nodes>) {
    let (mut near, mut far) = connected(&nodes).await;
    let world = nodes.world("b");
    let chunk = pattern(64 * KIB);
    let mut sent = 0;
    loop {
        select! {
            taken = near.write(&chunk) => sent += taken.expect("the peer is there"),
            () = world.sleep(STOPPED_AFTER) => break,
        }
        assert!(sent <= BUFFERS_BYTES_MAX, "the writer does not stop");
    }
    let (tx, heard) = oneshot::channel();
    let reader = nodes.world("a").spawn(Lane::Control, "reader", async move {
        assert!(
            tx.send(read_to_end(&mut far).await.len()).is_ok(),
            "the case waits"
        );
    });
    near.write_all(&chunk).await.expect("the peer reads now");
    near.shutdown().await.expect("the peer reads now");
    reader.join().await.expect("reading does not panic");
    assert_eq!(heard.await, Ok(sent + chunk.len()));
}

/// A reader of a dropped stream is not left waiting: it gets the end or a reset.
pub async fn a_dropped_stream_ends_its_reader(nodes: Arc<dyn Nodes>) {
    let (near, mut far) = connected(&nodes).await;
    drop(near);
    match far.read(&mut [0; 8]).await {
        Ok(read) => assert_eq!(read, 0),
        Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
    }
}

/// A writer to a dropped stream is not left believing: it gets an error after some bytes.
pub async fn a_dropped_stream_ends_its_writer(nodes: Arc<dyn Nodes>) {
    let (near, mut far) = connected(&nodes).await;
    let world = nodes.world("a");
    drop(near);
    let mut written = 0;
    let error = loop {
        match far.write(&[7; 64]).await {
            Ok(taken) => written += taken,
            Err(error) => break error,
        }
        assert!(written <= BUFFERS_BYTES_MAX, "the writer is never told");
        // The news of the drop needs time to travel.
        world.sleep(Duration::from_millis(1)).await;
    };
    let kinds = [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe];
    assert!(kinds.contains(&error.kind()), "{error}");
}
