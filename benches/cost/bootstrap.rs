//! Envoy's configuration, put together from the pieces in `yaml/` and `../rivals/`.

use canary_lab::EnvoyBuilder;

use crate::contender::Contender;
use crate::settings::Settings;

const BOOTSTRAP: &str = include_str!("yaml/bootstrap.yaml");
const LISTENER: &str = include_str!("yaml/listener.yaml");
const DIRECT_RESPONSE: &str = include_str!("yaml/direct_response.yaml");
const WASM: &str = include_str!("yaml/wasm.yaml");
const LUA: &str = include_str!("../rivals/lua.yaml");
const BASIC_LUA: &str = include_str!("../rivals/basic.lua");
const WEIGHTED_CLUSTERS: &str = include_str!("../rivals/weighted_clusters.yaml");
const PLAIN_CLUSTER: &str = include_str!("../rivals/plain_cluster.yaml");

/// The ports that the lab replaces by free ones.
const MAIN: u16 = 10_000;
const UPSTREAM: u16 = 10_001;

/// An Envoy with one listener for each of `contenders`; the first is the lab's
/// main listener, the others listen on `ports`.
pub(crate) fn envoy(settings: &Settings, contenders: &[Contender], ports: &[u16]) -> EnvoyBuilder {
    let ports = std::iter::once(MAIN).chain(ports.iter().copied());
    let mut listeners: Vec<String> = contenders.iter().zip(ports).enumerate().map(listener).collect();
    listeners.push(fill(
        LISTENER,
        &[
            ("name", "upstream"),
            ("port", &UPSTREAM.to_string()),
            ("routes", &indented(DIRECT_RESPONSE, 12)),
            ("filter", ""),
        ],
    ));
    let bootstrap = fill(BOOTSTRAP, &[("listeners", &indented(&listeners.concat(), 2))]);
    EnvoyBuilder::new(&settings.envoy, bootstrap)
        .copy("filter.wasm", &settings.filter)
        .copy("empty.wasm", &settings.empty)
        .copy("floor.wasm", &settings.floor)
        .text("rivals/basic.lua", BASIC_LUA)
}

fn listener((number, (contender, port)): (usize, (&Contender, u16))) -> String {
    let name = format!("contender-{number}");
    let routes = match contender {
        Contender::Native => WEIGHTED_CLUSTERS,
        Contender::PlainUpstream => PLAIN_CLUSTER,
        _ => DIRECT_RESPONSE,
    };
    let filter = match (contender, contender.module()) {
        (Contender::Lua, _) => LUA.to_owned(),
        (_, Some((module, configuration))) => wasm(&name, module, configuration),
        (_, None) => String::new(),
    };
    fill(
        LISTENER,
        &[
            ("name", &name),
            ("port", &port.to_string()),
            ("routes", &indented(routes, 12)),
            ("filter", &indented(&filter, 8)),
        ],
    )
}

fn wasm(vm: &str, module: &str, configuration: &str) -> String {
    let configuration = indented(configuration, 10);
    fill(WASM, &[("name", vm), ("wasm", module), ("configuration", &configuration)])
}

fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let filled = |text: String, (key, value): &(&str, &str)| text.replace(&format!("{{{{{key}}}}}"), value);
    values.iter().fold(template.to_owned(), filled)
}

fn indented(text: &str, by: usize) -> String {
    let lines = text.lines().map(|line| format!("{:by$}{line}\n", ""));
    lines.collect()
}
