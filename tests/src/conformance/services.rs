//! Outside systems by URL.
//!
//! Invariant: a refusal names the URL and says what would work instead.

use std::sync::Arc;

use sameriver_runtime::{ServiceError, World};

use super::Nodes;

/// The scheme under which every node of the suite offers [`greeter`].
pub const SCHEME: &str = "greet";

/// The outside system of the suite.
pub trait Greeter: Send + Sync {
    /// Says hello.
    fn greet(&self) -> String;
}

/// A trait that no world offers.
pub trait Stranger: Send + Sync {}

struct Named(String);

impl Greeter for Named {
    fn greet(&self) -> String {
        format!("hello from {}", self.0)
    }
}

/// Opens the outside system of the suite; the URL `greet:nobody` is refused.
///
/// # Errors
/// That there is nobody to greet.
pub fn greeter(url: &str, world: &World) -> Result<Arc<dyn Greeter>, String> {
    if url == "greet:nobody" {
        return Err("there is nobody to greet".to_owned());
    }
    Ok(Arc::new(Named(world.node().to_owned())))
}

fn refused(nodes: &Arc<dyn Nodes>, url: &str) -> ServiceError {
    let answer = nodes.world("a").service::<dyn Greeter>(url);
    answer.err().unwrap_or_else(|| panic!("{url} is refused"))
}

/// A factory is told which node asks.
pub async fn a_service_knows_the_node_that_asked_for_it(nodes: Arc<dyn Nodes>) {
    for name in ["a", "b"] {
        let world = nodes.world(name);
        let greeter = world
            .service::<dyn Greeter>("greet:everybody")
            .expect("it is offered");
        assert_eq!(greeter.greet(), format!("hello from {}", world.node()));
    }
}

/// The error lists the schemes that would work.
pub async fn an_unknown_scheme_is_refused_with_what_is_offered(nodes: Arc<dyn Nodes>) {
    let error = refused(&nodes, "carrier-pigeon:home").to_string();
    assert!(
        error.contains("carrier-pigeon:home"),
        "{error} names the URL"
    );
    assert!(error.contains(SCHEME), "{error} names what is offered");
}

/// The error names the trait that was asked for.
pub async fn a_known_scheme_with_another_trait_is_refused(nodes: Arc<dyn Nodes>) {
    let answer = nodes.world("a").service::<dyn Stranger>("greet:everybody");
    let error = answer.err().expect("it is not offered as this trait");
    let expected = std::any::type_name::<dyn Stranger>();
    let url = "greet:everybody".to_owned();
    assert_eq!(error, ServiceError::OtherTrait { url, expected });
}

/// The error carries what the service said.
pub async fn a_service_that_cannot_be_opened_says_why(nodes: Arc<dyn Nodes>) {
    let url = "greet:nobody";
    let expected = ServiceError::Failed {
        url: url.to_owned(),
        reason: "there is nobody to greet".to_owned(),
    };
    assert_eq!(refused(&nodes, url), expected);
}
