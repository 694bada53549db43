//! What one decision costs natively: by the number of rollouts, and by the number of rules
//! that are tried and do not hold.
//!
//! The requests go round 1,000 users, and round all rollouts, so that neither caches nor
//! branch predictors know one by heart; with one rollout they are as many and as large.

#![allow(missing_docs, clippy::unwrap_used, reason = "criterion's macros; a bench may panic")]

use std::borrow::Cow;
use std::fmt::Write;
use std::hint::black_box;

use canary_core::decide::{Ambient, decide};
use canary_core::policy::Policy;
use canary_core::request::RequestView;
use criterion::{Criterion, criterion_group, criterion_main};

/// What a browser sends through a gateway, about twenty headers.
struct Request(Vec<(String, Vec<u8>)>);

impl RequestView for Request {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_slice())
    }

    fn joined(&self, name: &str, _: &[u8]) -> Option<Cow<'_, [u8]>> {
        self.header(name).map(Cow::Borrowed)
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        None
    }
}

fn request(user: usize, rollout: usize) -> Request {
    let headers = [
        (":authority", format!("shop-{rollout}.example.com")),
        (":path", format!("/checkout-{rollout}/basket?item=7")),
        (":method", "GET".to_owned()),
        (":scheme", "https".to_owned()),
        ("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned()),
        ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8".to_owned()),
        ("accept-language", "de,en-US;q=0.7,en;q=0.3".to_owned()),
        ("accept-encoding", "gzip, deflate, br, zstd".to_owned()),
        ("cookie", "session=0123456789abcdef; theme=dark".to_owned()),
        ("x-forwarded-for", "203.0.113.7".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
        ("x-request-id", "8b5c1a52-3f0f-4f0e-9d3c-2f1c6b1d9a77".to_owned()),
        ("x-user-id", format!("3d813cbb-47fb-32ba-91df-831e15{user:06}")),
        ("x-geo-country", "DE".to_owned()),
    ];
    Request(headers.map(|(name, value)| (name.to_owned(), value.into_bytes())).into())
}

/// So many rollouts have rules.
const WITH_RULES: usize = 100;

fn policy(rollouts: usize, rules: usize) -> Policy {
    let mut text = r#"{"version": 1, "identity": [{"header": "x-user-id"}], "geo": [{"header": "x-geo-country"}], "rollouts": ["#.to_owned();
    for i in 0..rollouts {
        let comma = if i == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"name": "r{i}", "match": {{"hosts": ["shop-{i}.example.com"], "path_prefixes": ["/checkout-{i}"]}},
                "baseline": {{"name": "stable"}}, "variants": [{{"name": "canary", "weight": 10}}], "rules": ["#
        )
        .unwrap();
        // 20,000 rules would be more than a policy may hold: the first rollouts get theirs.
        for j in 0..if i < WITH_RULES { rules } else { 0 } {
            let comma = if j == 0 { "" } else { "," };
            write!(
                text,
                r#"{comma}{{"name": "x{j}", "when": {{"header": {{"name": "x-test", "equals": "{j}"}}}}, "variant": "canary"}}"#
            )
            .unwrap();
        }
        text.push_str("]}");
    }
    text.push_str("]}");
    Policy::parse(text.as_bytes()).unwrap()
}

fn decisions(criterion: &mut Criterion) {
    for (rollouts, rules) in [(1, 0), (1_000, 0), (1, 20), (1_000, 20)] {
        let policy = policy(rollouts, rules);
        let reached = if rules == 0 { rollouts } else { rollouts.min(WITH_RULES) };
        let requests: Vec<Request> = (0..1_000).map(|user| request(user, user % reached)).collect();
        let mut next = requests.iter().cycle();
        criterion.bench_function(&format!("decide/{rollouts} rollouts, {rules} rules"), |bencher| {
            bencher.iter(|| {
                let request = next.next().unwrap();
                black_box(decide(black_box(&policy), black_box(request), Ambient::at(0)).reason)
            });
        });
    }
}

criterion_group!(benches, decisions);
criterion_main!(benches);
