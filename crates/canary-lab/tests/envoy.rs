//! The laboratory against a real Envoy, without the filter: what it promises to tests and benches.
//!
//! Runs where `ENVOY` names a binary, as `make test` sees to; says so where it does not.
#![allow(clippy::unwrap_used, reason = "a test may")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use canary_lab::{Client, EnvoyBuilder, Lab, Load, Port, Ports, Request, Verdict, needs, raw, wait_until};

/// A listener that answers by itself.
const BOOTSTRAP: &str = r#"
admin:
  address: {socket_address: {address: 127.0.0.1, port_value: 9901}}
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: main
          access_log:
          - name: envoy.access_loggers.stdout
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog
              log_format: {text_format_source: {inline_string: "%REQ(:PATH)%\n"}}
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              response_headers_to_add:
              - {header: {key: x-echo, value: "%REQ(x-say)%"}}
              routes:
              - {match: {path: /missing}, direct_response: {status: 404}}
              - {match: {prefix: /}, direct_response: {status: 200, body: {inline_string: hello}}}
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
"#;

/// Put before the router, it takes its configuration from the watched file.
const DISCOVERED: &str = r"
          - name: canary
            config_discovery:
              config_source:
                path_config_source: {path: dist/ecds/canary.json, watched_directory: {path: dist/ecds}}
              type_urls: [type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation]
";

/// The bootstrap with [`DISCOVERED`] in it.
fn with_discovery() -> String {
    const FILTERS: &str = "          http_filters:\n";
    let bootstrap =
        BOOTSTRAP.replace(FILTERS, &format!("{FILTERS}{}", DISCOVERED.trim_matches('\n').to_owned() + "\n"));
    format!("node: {{id: lab, cluster: lab}}{bootstrap}")
}

/// A discovery response whose filter adds `x-policy: value`.
fn discovery(value: &str) -> String {
    format!(
        r#"{{"resources": [{{"@type": "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig",
            "name": "canary", "typed_config": {{
              "@type": "type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
              "mutations": {{"response_mutations": [
                {{"append": {{"header": {{"key": "x-policy", "value": "{value}"}}}}}}]}}}}}}]}}"#
    )
}

fn start() -> Option<Lab> {
    Some(EnvoyBuilder::new(needs("ENVOY")?, BOOTSTRAP).start().unwrap())
}

#[test]
fn a_client_talks_to_it_over_one_connection() {
    let Some(lab) = start() else { return };
    let mut client = lab.client();
    for _ in 0..5 {
        let response = client.get("/", &[("x-say", "hi")]).unwrap();
        assert_eq!((response.status, response.text().as_str()), (200, "hello"));
        assert_eq!(response.header("x-echo").unwrap(), "hi");
    }
    assert_eq!(client.send(&Request::new("HEAD", "/")).unwrap().status, 200);
    assert_eq!(client.get("/missing", &[]).unwrap().status, 404);
    let stats = lab.admin().stats().unwrap();
    // One connection was the look whether the listener is up.
    assert_eq!(stats.get("http.main.downstream_cx_total"), Some(2));
    assert_eq!(stats.get("http.main.downstream_rq_total"), Some(7));
    // Answered before its body was read, so Envoy closes; the next one takes a new connection.
    let post = Request::new("POST", "/").body("some body");
    assert_eq!(client.send(&post).unwrap().status, 200);
    assert_eq!(client.get("/", &[]).unwrap().status, 200);
}

#[test]
fn raw_bytes_reach_it_as_they_are() {
    let Some(lab) = start() else { return };
    let wait = Duration::from_secs(5);
    let ask = |value: &[u8]| {
        let request = Request::get("/").header("x-say", value);
        let bytes = raw(lab.ports().main(), &request.bytes(), wait).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    assert!(ask(b"\xff\xfe").starts_with("HTTP/1.1 200 "));
    assert!(ask(&b"a".repeat(50_000)).starts_with("HTTP/1.1 200 "));
    assert!(ask(b"a\0b").starts_with("HTTP/1.1 400 "));
    assert!(raw(lab.ports().main(), b"\0\r\n\r\n", wait).unwrap().starts_with(b"HTTP/1.1 400 "));
}

#[test]
fn load_reaches_every_worker_and_is_counted() {
    let Some(lab) = start() else { return };
    let clients = lab.clients(4).unwrap();
    assert!(clients.len() >= 4);
    let before = lab.usage().unwrap();
    let seen = AtomicU64::new(0);
    let tally = Load::over(clients).requests(2000).run(
        |number| Request::get(if number % 10 == 0 { "/missing" } else { "/" }),
        |_, _| {
            seen.fetch_add(1, Ordering::Relaxed);
        },
    );
    let after = lab.usage().unwrap();
    assert_eq!(tally.sent(), 2000);
    assert_eq!(tally.statuses.get(&404), Some(&200));
    assert_eq!(tally.statuses.get(&200), Some(&1800));
    assert_eq!(seen.into_inner(), 2000);
    assert!(tally.all_ok().unwrap_err().to_string().contains("404: 200"));
    assert_eq!(after.workers, 2);
    assert!(after.workers_cpu > before.workers_cpu && after.cpu >= after.workers_cpu);
    assert!(after.rss > 10 << 20);
}

#[test]
fn a_pushed_file_is_taken_over_or_refused() {
    let Some(envoy) = needs("ENVOY") else { return };
    let lab = EnvoyBuilder::new(envoy, with_discovery()).ecds(discovery("1")).start().unwrap();
    let mut client = lab.client();
    let mut policy = || client.get("/", &[]).unwrap().header("x-policy").unwrap();
    assert_eq!(policy(), "1");
    assert_eq!(lab.push_and_wait(&discovery("2")).unwrap(), Verdict::Accepted);
    wait_until(Duration::from_secs(10), "the second policy", || Ok((policy() == "2").then_some(()))).unwrap();
    assert_eq!(lab.push_and_wait(&discovery("%NO_SUCH_THING%")).unwrap(), Verdict::Rejected);
    assert_eq!(lab.push_and_wait("no JSON").unwrap(), Verdict::Rejected);
    assert_eq!(policy(), "2");
    // Nothing but the file itself is left in the watched directory.
    assert_eq!(std::fs::read_dir(lab.directory().join("dist/ecds")).unwrap().count(), 1);
}

#[test]
fn its_logs_can_be_read_back() {
    let Some(lab) = start() else { return };
    lab.client().get("/find-me", &[]).unwrap();
    wait_until(Duration::from_secs(10), "the access log", || {
        Ok(lab.access_log()?.contains("/find-me").then_some(()))
    })
    .unwrap();
    assert!(lab.envoy_log().unwrap().contains("all dependencies initialized"));
    assert!(lab.admin().prometheus().unwrap().contains("envoy_server_live"));
    assert!(lab.admin().config_dump().unwrap().get("configs").is_some());
    lab.stop().unwrap();
    assert!(!lab.is_running());
}

#[test]
fn nothing_is_left_of_it_when_it_is_dropped() {
    let Some(lab) = start() else { return };
    let (pid, directory) = (lab.pid(), lab.directory().to_owned());
    let main = lab.ports().main();
    drop(lab);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(!directory.exists());
    assert!(Client::new(main).connect().is_err());
}

#[test]
fn a_bootstrap_that_envoy_refuses_is_an_error_with_its_log() {
    let Some(envoy) = needs("ENVOY") else { return };
    let broken = BOOTSTRAP.replace("stat_prefix", "stat_prefiks");
    let error = EnvoyBuilder::new(&envoy, &broken).start().unwrap_err();
    assert!(format!("{error:#}").contains("stat_prefiks"), "{error:#}");
    let error = EnvoyBuilder::new(&envoy, &broken).validate().unwrap_err();
    assert!(format!("{error:#}").contains("stat_prefiks"), "{error:#}");
    EnvoyBuilder::new(&envoy, BOOTSTRAP).validate().unwrap();
}

#[test]
fn ports_can_be_asked_for_and_a_taken_one_is_refused() {
    let Some(envoy) = needs("ENVOY") else { return };
    let (main, admin) = (Port::free().unwrap(), Port::free().unwrap());
    let ports = || Ports::fixed(main.number(), admin.number());
    let lab = EnvoyBuilder::new(&envoy, BOOTSTRAP).ports(ports().unwrap()).concurrency(1).start().unwrap();
    assert_eq!(lab.ports().main(), main.number());
    assert_eq!(lab.usage().unwrap().workers, 1);
    // Envoy itself would share the port in silence.
    let error = ports().unwrap_err().to_string();
    assert!(error.contains("in use") && error.contains("ADMIN_PORT="), "{error}");
}
