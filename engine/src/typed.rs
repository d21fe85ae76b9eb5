//! Factories that know the record types, for a graph that does not.
//!
//! Invariant: each factory joins neighbours of one record type; the downcasts of
//! [`AnyConsumer::typed`] cannot fail for graphs made through the streams' methods.

use std::sync::Arc;

use sameriver_graph::job_graph::OpenEnumerator;
use sameriver_graph::operator::{OpenLink, OpenSource};
use sameriver_graph::stream_type::{FanOut, Tail};
use sameriver_graph::{Behaviour, StreamType};
use sameriver_model::Element;
use sameriver_operator::build;
use sameriver_operator::key_selector::SelectKey;
use sameriver_operator::sink::{Sink, WriterArgs};
use sameriver_operator::source::{EnumeratorArgs, ReaderArgs, Source};
use sameriver_operator::watermark::WatermarkStrategy;
use sameriver_operator::{
    AnyConsumer, Consumer, EdgeCodec, OpenArgs, OperatorError, TypedHead, WireEdge, tail,
};

/// Both ends of the edges that carry `T`.
pub(crate) fn stream_type<T: Element>() -> StreamType {
    StreamType {
        type_id: std::any::TypeId::of::<T>(),
        type_name: std::any::type_name::<T>(),
        head: Arc::new(|next| Box::new(TypedHead::<T>::new(next.typed()))),
        codec: codec::<T>(),
        forward: Arc::new(|name, args, outputs| {
            AnyConsumer::of::<T>(tail::forward(name, args, codec::<T>(), outputs))
        }),
        rebalance: Arc::new(|name, args, outputs| {
            AnyConsumer::of::<T>(tail::rebalance(name, args, codec::<T>(), outputs))
        }),
    }
}

fn codec<T: Element>() -> Arc<dyn EdgeCodec> {
    Arc::new(WireEdge::<T>::new())
}

/// The sending end of a hash edge.
pub(crate) fn hash<T: Element, S: SelectKey<T>>(selector: S) -> Arc<Tail> {
    Arc::new(move |name, args, outputs| {
        AnyConsumer::of::<T>(tail::hash(
            name,
            selector.clone(),
            args,
            codec::<T>(),
            outputs,
        ))
    })
}

/// The sending end of a broadcast edge.
pub(crate) fn broadcast<T: Element + Clone>() -> Arc<Tail> {
    Arc::new(|name, args, outputs| {
        AnyConsumer::of::<T>(tail::broadcast(name, args, codec::<T>(), outputs))
    })
}

/// Several receivers of one stream.
pub(crate) fn fan_out<T: Element + Clone>() -> Arc<FanOut> {
    Arc::new(|receivers| {
        let receivers = receivers.into_iter().map(AnyConsumer::typed).collect();
        AnyConsumer::of::<T>(build::fan_out(receivers))
    })
}

/// A link with one output.
pub(crate) fn link<T: Element, O: Element>(
    open: impl Fn(&str, &OpenArgs, Box<dyn Consumer<O>>) -> Opened<T> + Send + Sync + 'static,
) -> Behaviour {
    let link: Arc<OpenLink> = Arc::new(move |name, args, outputs| {
        let [next] = exactly(outputs);
        open(name, args, next.typed()).map(AnyConsumer::of)
    });
    Behaviour::Link(link)
}

/// A link with a main output and a side output.
pub(crate) fn link_with_side<T: Element, O: Element, P: Element>(
    open: impl Fn(&str, &OpenArgs, Box<dyn Consumer<O>>, Box<dyn Consumer<P>>) -> Opened<T>
    + Send
    + Sync
    + 'static,
) -> Behaviour {
    let link: Arc<OpenLink> = Arc::new(move |name, args, outputs| {
        let [main, side] = exactly(outputs);
        open(name, args, main.typed(), side.typed()).map(AnyConsumer::of)
    });
    Behaviour::Link(link)
}

/// A link that takes records of type `T`.
pub(crate) type Opened<T> = Result<Box<dyn Consumer<T>>, OperatorError>;

/// The consumers of an operator's outputs, one each.
fn exactly<const N: usize>(outputs: Vec<AnyConsumer>) -> [AnyConsumer; N] {
    let count = outputs.len();
    outputs
        .try_into()
        .unwrap_or_else(|_| panic!("an operator with {N} outputs got {count} consumers"))
}

/// The reading end of a source and its enumerator.
pub(crate) fn source<S: Source>(
    name: &str,
    source: Arc<S>,
) -> (Arc<OpenSource>, Arc<OpenEnumerator>) {
    let (name, enumerated) = (name.to_owned(), Arc::clone(&source));
    let open =
        move |name: &str, args: &OpenArgs, watermarks: Option<&Strategy>, next: AnyConsumer| {
            let reader = source.reader(ReaderArgs {
                surroundings: args.surroundings.clone(),
                subtask: args.subtask,
                attempt: args.attempt,
                parallelism: args.parallelism,
            });
            let reader = reader.map_err(|cause| OperatorError::Source {
                operator: name.to_owned(),
                cause,
            })?;
            let watermarks = watermarks.map(|strategy| {
                let strategy = strategy.downcast_ref::<WatermarkStrategy<S::Out>>();
                strategy
                    .expect("a source's watermarks are for its records")
                    .clone()
            });
            build::source_driver(name, reader, watermarks, args, next.typed())
        };
    let enumerate = move |args: EnumeratorArgs| {
        let (name, enumerator) = (name.clone(), enumerated.enumerate(args));
        Box::pin(async move { Ok(build::erase_enumerator(&name, enumerator.await?)) }) as _
    };
    (Arc::new(open), Arc::new(enumerate))
}

type Strategy = sameriver_graph::operator::AnyStrategy;

/// The writing end of a sink.
pub(crate) fn sink<T: Element>(sink: Arc<impl Sink<T>>) -> Behaviour {
    let link: Arc<OpenLink> = Arc::new(move |name, args, _| {
        let told = || WriterArgs {
            surroundings: args.surroundings.clone(),
            job: args.job,
            subtask: args.subtask,
            attempt: args.attempt,
            is_restored: args.restored.is_some(),
            parallelism: args.parallelism,
            commits: args.commits,
        };
        let refused = |cause| OperatorError::Sink {
            operator: name.to_owned(),
            cause,
        };
        let writer = sink.writer(told()).map_err(refused)?;
        let committer = sink.committer(told()).map_err(refused)?;
        let link = build::sink(name, writer, committer, args)?;
        Ok(AnyConsumer::of::<T>(link))
    });
    Behaviour::Link(link)
}
