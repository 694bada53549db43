//! The demo's bootstrap with the drill's routes and clusters: one of each for each side.

use anyhow::{Context, Result};
use canary_core::stamp::Stamps;
use serde_json::{Value, json};

/// Where `envoy/envoy.yaml` has its routes, and what comes last in it.
const ROUTES: [&str; 2] = ["# BEGIN routes", "# END routes"];
const CLUSTERS: &str = "\n  clusters:\n";

/// A side as Envoy knows it.
#[derive(Clone, Debug)]
pub(super) struct Side {
    pub(super) name: String,
    pub(super) cluster: String,
    pub(super) port: u16,
}

/// Puts routes to these sides, the baseline first, in the place of the demo's.
pub(super) fn derive(bootstrap: &str, rollout: &str, stamps: &Stamps, sides: &[Side]) -> Result<String> {
    let [begin, end] = ROUTES;
    let place = || format!("the bootstrap must have its routes between `{begin}` and `{end}`");
    let (before, rest) = bootstrap.split_once(begin).with_context(place)?;
    let (_, after) = rest.split_once(end).with_context(place)?;
    let (after, _) = after.split_once(CLUSTERS).context("the bootstrap must end with its `clusters:`")?;
    let indent = before.rsplit('\n').next().unwrap_or_default();
    // JSON is YAML on one line.
    let routes = format!("{begin}\n{indent}route_config: {}\n{indent}{end}", routes(rollout, stamps, sides));
    let clusters = sides.iter().map(|side| format!("  - {}\n", cluster(side)));
    Ok(format!("{before}{routes}{after}{CLUSTERS}{}", clusters.collect::<String>()))
}

/// By rollout and variant; what has no stamps falls through to the baseline.
fn routes(rollout: &str, stamps: &Stamps, sides: &[Side]) -> Value {
    let exact = |name: &str, value: &str| json!({"name": name, "string_match": {"exact": value}});
    let variants = sides.iter().skip(1).map(|side| {
        let rollout = stamps.rollout.as_deref().map(|name| exact(name, rollout));
        let headers: Vec<_> = rollout.into_iter().chain([exact(&stamps.variant, &side.name)]).collect();
        json!({"match": {"prefix": "/", "headers": headers}, "route": {"cluster": side.cluster}})
    });
    let baseline =
        sides.first().map(|side| json!({"match": {"prefix": "/"}, "route": {"cluster": side.cluster}}));
    let routes: Vec<_> = variants.chain(baseline).collect();
    json!({"name": "main", "virtual_hosts": [{"name": "drill", "domains": ["*"], "routes": routes}]})
}

fn cluster(side: &Side) -> Value {
    let endpoint = json!({"socket_address": {"address": "127.0.0.1", "port_value": side.port}});
    // What a slow upstream piles up is the drill's to see, and not to be cut off.
    let limits = json!({"max_connections": 20_000, "max_pending_requests": 20_000, "max_requests": 20_000});
    json!({
        "name": side.cluster,
        "connect_timeout": "1s",
        "circuit_breakers": {"thresholds": [limits]},
        "load_assignment": {
            "cluster_name": side.cluster,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": endpoint}}]}],
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_bootstrap_gets_a_route_and_a_cluster_for_each_side() {
        let shipped = include_str!("../../../../envoy/envoy.yaml");
        let side = |name: &str, port| Side { name: name.to_owned(), cluster: format!("search-{name}"), port };
        let sides = [side("old", 4001), side("new", 4002)];
        let text = derive(shipped, "search", &Stamps::default(), &sides).unwrap();
        assert!(!text.contains("{cluster: checkout-v2}") && !text.contains("- name: checkout-v2"));
        for port in [4001, 4002] {
            assert!(text.contains(&format!(r#""port_value":{port}"#)));
        }
        // The one for the stamps comes before the one for all.
        let place = |text_: &str| text.find(text_).unwrap();
        assert!(place(r#""exact":"new""#) < place(r#""route":{"cluster":"search-old"}"#));
    }

    #[test]
    fn a_bootstrap_without_the_marks_is_told() {
        let error = derive("a: b", "r", &Stamps::default(), &[]).unwrap_err().to_string();
        assert!(error.contains("# BEGIN routes"), "{error}");
    }
}
