//! The plugin configuration of `envoy/istio`, in the form in which Istio sends it.

use canary_lab::Request;
use canaryctl::explain::{self, Header};
use serde_json::{Value, json};

use crate::scene::{Answer, Core, Scene, envoy, text, user};

const USERS: usize = 300;

pub(crate) fn the_wasm_plugins_configuration_decides_as_istio_sends_it() {
    let plugin: Value = serde_saphyr::from_str(&text("envoy/istio/wasmplugin.yaml")).unwrap();
    let spec = &plugin["spec"];
    let policy = spec["pluginConfig"].to_string();
    let core = Core::new(&policy);
    // Its agent has put a local file in the place of the URL. No VM id, no list of capabilities, no
    // environment.
    let response = json!({"resources": [{
        "@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
        "name": "canary",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.wasm.v3.Wasm",
            "config": {
                "name": "istio-system.canary",
                "root_id": spec["pluginName"],
                "failure_policy": spec["failStrategy"],
                "vm_config": {
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": {"local": {"filename": "dist/canary_filter.wasm"}},
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": policy,
                },
            },
        },
    }]});
    let scene = Scene::boot(envoy().ecds(response.to_string()));
    let mut clients = scene.lab.clients(2).unwrap();
    let mut seen = Vec::new();
    for number in 0..USERS {
        let country = ["DE", "US"][number % 2];
        let decision = core.decide(
            &explain::Request::new("GET", "shop.example.com", "/checkout/cart")
                .with_header(Header::new("x-user-id", user(number)))
                .with_header(Header::new("x-geo-country", country)),
        );
        let variant = decision.variant.unwrap();
        let request = Request::get("/checkout/cart").host("shop.example.com");
        let request = request.header("x-user-id", user(number)).header("x-geo-country", country);
        let client = number % clients.len();
        let answer = Answer::of(&clients[client].send(&request).unwrap());
        assert_eq!(answer.side().unwrap(), *variant.name, "user {number}");
        assert_eq!(answer.cluster.as_deref(), variant.cluster.as_deref(), "user {number}");
        seen.push((decision.rule.map(|rule| rule.name.to_string()), variant.name.to_string()));
    }
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 4, "both sides, by the rule and without: {seen:?}");
    // Another path of that host belongs to no rollout.
    let elsewhere = Request::get("/").host("shop.example.com").header("x-user-id", "alice");
    assert_eq!(scene.ask(&elsewhere).variant, None);
}
