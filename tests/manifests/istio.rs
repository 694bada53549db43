//! `envoy/istio`.

use canary_core::policy::Policy;
use serde_json::Value;

use crate::schemas::Schemas;
use crate::{repository, text, yaml};

const NONE: [String; 0] = [];

pub(crate) fn every_resource_fits_its_schema(schemas: &Schemas) {
    let files = std::fs::read_dir(repository("envoy/istio")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let names: Vec<_> = names.filter(|name| !name.starts_with("README")).collect();
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        let resource = yaml(&format!("envoy/istio/{name}"));
        assert_eq!(schemas.resource_problems(&resource), NONE, "{name}");
    }
}

pub(crate) fn a_misspelt_field_does_not_fit(schemas: &Schemas) {
    let mut plugin = yaml("envoy/istio/wasmplugin.yaml");
    let spec = plugin["spec"].as_object_mut().unwrap();
    let strategy = spec.remove("failStrategy").unwrap();
    spec.insert("failureStrategy".to_owned(), strategy);
    assert_eq!(schemas.resource_problems(&plugin).len(), 1);
    let mut service = yaml("envoy/istio/virtualservice.yaml");
    service["spec"]["http"][0]["route"][0]["destination"]["port"]["number"] = "eighty".into();
    assert_eq!(schemas.resource_problems(&service).len(), 1);
}

pub(crate) fn the_policy_is_valid() {
    policy();
}

/// The `VirtualService` sends to the canary what the policy stamps, and the subsets are there.
pub(crate) fn the_routes_are_for_the_policys_stamps() {
    let policy = policy();
    let service = yaml("envoy/istio/virtualservice.yaml");
    let rule = yaml("envoy/istio/destinationrule.yaml");
    let subsets: Vec<_> =
        rule["spec"]["subsets"].as_array().unwrap().iter().map(|subset| &subset["name"]).collect();
    let routes = service["spec"]["http"].as_array().unwrap();
    let (last, canaries) = routes.split_last().unwrap();
    assert_eq!(last.get("match"), None, "whoever has no stamp goes to the last route");
    let rollout = &policy.rollouts[0];
    let (baseline, variants) = rollout.variants.split_first().unwrap();
    assert_eq!(canaries.len(), variants.len());
    for (route, variant) in canaries.iter().zip(variants).chain([(last, baseline)]) {
        let destination = &route["route"][0]["destination"];
        assert_eq!(destination["host"], rule["spec"]["host"]);
        assert!(subsets.contains(&&destination["subset"]), "{destination}");
        // Istio's name for a subset's cluster.
        let cluster = ["port", "subset", "host"].map(|part| match part {
            "port" => destination["port"]["number"].to_string(),
            part => destination[part].as_str().unwrap().to_owned(),
        });
        assert_eq!(variant.cluster.as_deref(), Some(format!("outbound|{}", cluster.join("|")).as_str()));
        if route.get("match").is_some() {
            let headers = &route["match"][0]["headers"];
            let stamps = &policy.stamps;
            assert_eq!(headers[&*stamps.variant]["exact"], *variant.name);
            assert_eq!(headers[&**stamps.rollout.as_ref().unwrap()]["exact"], *rollout.name);
        }
    }
}

pub(crate) fn stamps_are_removed_early_as_in_envoy_yaml() {
    let filter = yaml("envoy/istio/envoyfilter.yaml");
    let patch = &filter["spec"]["configPatches"][0]["patch"]["value"];
    let bootstrap = yaml("envoy/envoy.yaml");
    let manager = &bootstrap["static_resources"]["listeners"][0]["filter_chains"][0]["filters"][0];
    let key = "early_header_mutation_extensions";
    assert!(patch["typed_config"][key].is_array());
    assert_eq!(patch["typed_config"][key], manager["typed_config"][key]);
    let text = text("envoy/istio/envoyfilter.yaml");
    let policy = policy();
    assert_eq!(policy.stamps.request_headers().count(), 3);
    for stamp in policy.stamps.request_headers() {
        assert!(text.contains(&format!("- remove: {stamp}\n")), "{stamp}");
    }
}

fn policy() -> Policy {
    let plugin: Value = yaml("envoy/istio/wasmplugin.yaml");
    let policy = plugin["spec"]["pluginConfig"].to_string();
    Policy::parse(policy.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"))
}
