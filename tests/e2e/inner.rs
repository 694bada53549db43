//! A sidecar behind an edge that has stamped already.

use canary_lab::Request;

use crate::scene::{Core, Scene, bootstrap_without, envoy_with, one_variant, rendered, user};

/// What the edge said of a rollout of its own.
const STAMPS: [(&str, &str); 3] = [
    ("x-deployment-rollout", "search"),
    ("x-deployment-variant", "fast"),
    ("x-deployment-cluster", "search-v2"),
];

pub(crate) fn an_inner_proxy_keeps_the_stamps_of_rollouts_that_it_does_not_know() {
    let mut policy: serde_json::Value = serde_json::from_str(&one_variant(50.0)).unwrap();
    policy["role"] = "inner".into();
    policy["rollouts"][0]["match"] = serde_json::json!({"path_prefixes": ["/checkout"]});
    // The baseline names no cluster, so that the decision removes the edge's.
    policy["rollouts"][0]["baseline"] = serde_json::json!({"name": "stable"});
    let policy = policy.to_string();
    let core = Core::new(&one_variant(50.0));
    let builder = envoy_with(bootstrap_without("stamps")).ecds(rendered(&policy).to_string());
    let scene = Scene::boot(builder);
    let stamped = |path: &str, user: &str| {
        let request = Request::get(path).header("x-user-id", user);
        STAMPS.iter().fold(request, |request, (name, value)| request.header(name, value))
    };

    for number in 0..30 {
        let answer = scene.ask(&stamped("/search", &user(number)));
        assert_eq!(answer.rollout.as_deref(), Some("search"));
        assert_eq!(answer.variant.as_deref(), Some("fast"));
        assert_eq!(answer.cluster.as_deref(), Some("search-v2"));
        assert_eq!(answer.stamp, None, "the response's stamp is the edge's affair");

        let answer = scene.ask(&stamped("/checkout", &user(number)));
        assert_eq!(answer.side().as_deref(), Ok(core.side(number)));
        assert_eq!(answer.rollout.as_deref(), Some("checkout"));
        let cluster = (core.side(number) == "canary").then_some("checkout-v2");
        assert_eq!(answer.cluster.as_deref(), cluster);
    }
    // Without stamps from outside there are none to keep.
    assert_eq!(scene.ask(&Request::get("/search")).variant, None);
}
