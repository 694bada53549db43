//! A client stamps its own request.

use canary_lab::Request;

use crate::scene::{Core, NO_ROLLOUTS, Scene, bootstrap_without, envoy_with, one_variant, rendered, user};

/// Every way to write the stamps that this test could think of.
pub(crate) const STAMPS: [&[(&str, &str)]; 7] = [
    &[("x-deployment-variant", "canary")],
    &[("x-deployment-rollout", "checkout"), ("x-deployment-variant", "canary")],
    &[
        ("x-deployment-variant", "canary"),
        ("x-deployment-variant", "canary"),
        ("x-deployment-rollout", "checkout"),
    ],
    &[
        ("x-deployment-rollout", "checkout"),
        ("x-deployment-variant", "stable"),
        ("x-deployment-variant", "canary"),
        ("x-deployment-rollout", "checkout"),
    ],
    &[("X-Deployment-Rollout", "checkout"), ("X-DEPLOYMENT-VARIANT", "canary")],
    &[
        ("x-Deployment-rollout", "checkout"),
        ("x-deploymenT-Variant", "canary"),
        ("X-Deployment-Cluster", "checkout-v2"),
    ],
    &[
        ("x-deployment-rollout", "checkout"),
        ("x-deployment-variant", "stable, canary"),
        ("x-deployment-cluster", "checkout-v2"),
    ],
];

/// A request with stamps of its own.
pub(crate) fn stamped(request: Request, stamps: &[(&str, &str)]) -> Request {
    stamps.iter().fold(request, |request, (name, value)| request.header(name, value))
}

pub(crate) fn a_client_cannot_stamp_itself_into_the_canary() {
    let policy = one_variant(10.0);
    let core = Core::new(&policy);
    let scene = Scene::serving(&policy);
    for stamps in STAMPS {
        for side in ["stable", "canary"] {
            let request = stamped(Request::get("/").header("x-user-id", user(core.user_on(side))), stamps);
            let answer = scene.ask(&request);
            assert_eq!(answer.side().as_deref(), Ok(side), "{stamps:?}");
            assert_eq!(answer.rollout.as_deref(), Some("checkout"));
            let cluster = if side == "canary" { "checkout-v2" } else { "checkout-v1" };
            assert_eq!(answer.cluster.as_deref(), Some(cluster), "{stamps:?}");
        }
        let answer = scene.ask(&stamped(Request::get("/"), stamps));
        assert_eq!(answer.side().as_deref(), Ok("stable"), "without identity, {stamps:?}");
    }
}

pub(crate) fn a_client_cannot_stamp_itself_where_there_are_no_rollouts() {
    unstamped(&Scene::serving(NO_ROLLOUTS));
}

pub(crate) fn the_filter_itself_removes_stamps_where_nothing_else_does() {
    let bootstrap = bootstrap_without("stamps");
    assert!(!bootstrap.contains("early_header_mutation_extensions"));
    let policy = one_variant(10.0)
        .replace("\"baseline\"", "\"match\":{\"path_prefixes\":[\"/checkout\"]},\"baseline\"");
    unstamped(&Scene::boot(envoy_with(bootstrap).ecds(rendered(&policy).to_string())));
}

/// Nothing of what a client stamped arrives anywhere.
fn unstamped(scene: &Scene) {
    for stamps in STAMPS {
        let answer = scene.ask(&stamped(Request::get("/").header("x-user-id", "alice"), stamps));
        assert!(answer.is_stable(), "{stamps:?}: {answer:?}");
        assert_eq!((answer.variant, answer.rollout, answer.cluster), (None, None, None), "{stamps:?}");
        assert_eq!(answer.stamp, None, "{stamps:?}");
    }
}
