//! Bytes that no client should send, wherever a policy reads them.

use std::time::Duration;

use canary_lab::{Request, raw, wait_until};
use serde_json::json;

use crate::scene::{Answer, PATIENCE, Scene, VMS};

/// Reads everything that a policy can read.
fn policy() -> String {
    json!({
        "version": 1,
        "identity": [
            {"header": "x-user-id"}, {"cookie": "uid"}, {"jwt_claim": "sub"}, {"query": "uid"}, {"source_address": true}
        ],
        "geo": [{"header": "x-geo-country"}],
        "rollouts": [{
            "name": "checkout",
            "match": {"hosts": ["shop.example.com", "*.example.com"], "path_prefixes": ["/checkout"], "methods": ["GET"]},
            "baseline": {"name": "stable", "cluster": "checkout-v1"},
            "variants": [{"name": "canary", "cluster": "checkout-v2", "weight": 50}],
            "rules": [
                {"name": "employees", "when": {"header": {"name": "x-employee", "contains": "true"}}, "variant": "canary"},
                {"name": "pilots", "when": {"cookie": {"name": "pilot", "suffix": "s"}}, "variant": "canary"},
                {"name": "beta", "when": {"query": {"name": "beta", "prefix": "o"}}, "weights": {"canary": 70}},
                {"name": "known", "when": {"not": {"geo": ["*"]}}, "weights": {"canary": 20}},
            ],
        }, {
            "name": "rest",
            "baseline": {"name": "stable"},
            "variants": [{"name": "canary", "weight": 50}],
        }],
    })
    .to_string()
}

/// What Envoy must do with a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Must {
    /// Answer with 200.
    Serve,
    /// That, or a 4xx of its own before any filter runs.
    ServeOrRefuse,
}

/// Where a client can write a value that the policy reads.
const HEADERS: [&str; 5] = ["x-user-id", "x-geo-country", "cookie", "authorization", "x-employee"];

/// Envoy takes 60 KB of headers, unless told otherwise.
const MUCH: usize = 50_000;
const TOO_MUCH: usize = 70_000;

pub(crate) fn no_bytes_of_a_client_stop_the_filter() {
    let scene = Scene::serving(&policy());
    let vms = scene.stats().get("wasm.envoy.wasm.runtime.v8.created").unwrap();
    let port = scene.lab.ports().main();
    let mut served = 0;
    for (what, bytes, must) in requests() {
        let answer = raw(port, &bytes, Duration::from_secs(20)).unwrap();
        let status = String::from_utf8_lossy(answer.get(..12).unwrap_or(&answer)).into_owned();
        let refused = must == Must::ServeOrRefuse && status.starts_with("HTTP/1.1 4");
        assert!(status == "HTTP/1.1 200" || refused, "{what}: {must:?}, but: {status:?}");
        served += u64::from(!refused);
    }
    assert!(served > 60, "only {served} were served");

    // Each has been decided once, and every VM still decides.
    scene.wait_for_exactly("canary_decisions_total", &[], served);
    scene.wait_for_exactly("canary_responses_total", &[("code_class", "2xx")], served);
    for mut client in scene.lab.clients(4).unwrap() {
        let employee = [("host", "shop.example.com"), ("x-employee", "true")];
        let answer = Answer::of(&client.get("/checkout", &employee).unwrap());
        assert_eq!(answer.side().as_deref(), Ok("canary"));
    }
    assert_eq!(scene.stats().get("wasm.envoy.wasm.runtime.v8.created"), Some(vms), "a VM was built anew");
    assert_eq!(scene.stats().get("wasm.envoy.wasm.runtime.v8.active"), Some(VMS));
    wait_until(PATIENCE, "the log", || Ok(scene.lab.envoy_log().ok())).unwrap();
    let log = scene.lab.envoy_log().unwrap();
    for sign in ["panicked", "proxy_on_", "[critical]", "host call refused"] {
        assert!(!log.contains(sign), "{sign} in Envoy's log:\n{log}");
    }
}

/// What it is, the bytes, and what must become of them.
fn requests() -> Vec<(String, Vec<u8>, Must)> {
    let mut requests = Vec::new();
    for header in HEADERS {
        for (what, lines) in values() {
            let request = Request::get("/checkout?beta=on").host("shop.example.com");
            let request = lines.iter().fold(request, |request, value| request.header(header, value));
            requests.push((format!("{header}: {what}"), request.bytes(), Must::Serve));
        }
        for (what, value) in refusable() {
            let request = Request::get("/checkout").host("shop.example.com").header(header, value);
            requests.push((format!("{header}: {what}"), request.bytes(), Must::ServeOrRefuse));
        }
    }
    for (what, path) in paths() {
        let line = [b"GET ", &path[..], b" HTTP/1.1\r\nhost: shop.example.com\r\n\r\n"].concat();
        let plain = path.is_ascii() && !path.contains(&b'#') && path.len() <= MUCH + 100;
        let must = if plain { Must::Serve } else { Must::ServeOrRefuse };
        requests.push((format!("path: {what}"), line, must));
    }
    for (what, hosts) in values() {
        let request =
            hosts.iter().fold(Request::get("/checkout"), |request, host| request.header("host", host));
        // No header like the others: Envoy itself has a say about what names a host.
        requests.push((format!("host: {what}"), request.bytes(), Must::ServeOrRefuse));
    }
    requests
}

/// Values that must be served; each is one header line or several.
fn values() -> Vec<(&'static str, Vec<Vec<u8>>)> {
    let much = |byte: u8| vec![byte; MUCH];
    vec![
        ("empty", vec![vec![]]),
        ("not UTF-8", vec![b"\xff\xfe\x80\xc3".to_vec()]),
        ("50 KB", vec![much(b'a')]),
        ("50 KB that is not UTF-8", vec![much(0xff)]),
        ("twice", vec![b"alice".to_vec(), b"bob".to_vec()]),
        ("twice, first empty", vec![vec![], b"bob".to_vec()]),
        ("twice, not UTF-8", vec![b"\xff".to_vec(), b"\xfe".to_vec()]),
        ("50 times", vec![b"alice".to_vec(); 50]),
        ("half a cookie", vec![b"=;uid;;uid=;pilot=\xffs; =uid=x;\"".to_vec()]),
        ("half a token", vec![b"Bearer ..".to_vec()]),
        ("no base64", vec![b"bearer a.\xff\xfe.c".to_vec()]),
        (
            "a token of brackets",
            vec![[b"Bearer a.".to_vec(), b"W1tb".repeat(9_000), b".c".to_vec()].concat()],
        ),
        ("an escape", vec![b"%00%0d%0a".to_vec()]),
        ("what stats are made of", vec![b"x;.;variant=.=canary;.;".to_vec()]),
    ]
}

/// Values with which Envoy's own limits and grammar come in.
fn refusable() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("70 KB", vec![b'a'; TOO_MUCH]),
        ("NUL", b"al\0ice".to_vec()),
        ("CR", b"al\rice".to_vec()),
        ("LF", b"al\nice".to_vec()),
        ("LF and a stamp", b"alice\nx-deployment-variant: canary".to_vec()),
        ("CR LF and a stamp", b"alice\r\nx-deployment-variant: canary".to_vec()),
        ("a fold", b"alice\r\n bob".to_vec()),
        ("DEL and other controls", b"\x01\x02\x7f".to_vec()),
    ]
}

fn paths() -> Vec<(&'static str, Vec<u8>)> {
    let long = |byte: u8, length: usize| [b"/checkout?uid=".to_vec(), vec![byte; length]].concat();
    vec![
        ("a query of nothing", b"/checkout?".to_vec()),
        ("a query of signs", b"/checkout?&&==&uid&uid=&beta=&=x?".to_vec()),
        ("a fragment", b"/checkout?uid=alice#beta".to_vec()),
        ("escapes that are none", b"/checkout?uid=%zz%&beta=%f".to_vec()),
        ("escapes that are not UTF-8", b"/checkout?uid=%ff%fe%00".to_vec()),
        ("not UTF-8", b"/checkout?uid=\xff\xfe".to_vec()),
        ("50 KB", long(b'a', MUCH)),
        ("50 KB of ampersands", long(b'&', MUCH)),
        ("70 KB", long(b'a', TOO_MUCH)),
        ("many segments", b"/a".repeat(20_000)),
    ]
}
