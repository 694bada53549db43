//! The drill's users: made so that the policy knows them, and that the guardrail counts them.

use anyhow::{Context, Result, bail};
use canary_core::decide::{Ambient, Decision, Reason, decide};
use canary_core::policy::Policy;
use canary_core::request::{Source, SourceKind};
use canary_core::split::VariantId;
use canary_core::timeline::Instant;
use canary_lab::Request;
use serde_json::Value;

use crate::explain::{self, Header};

/// Of so many for each one that is wanted, some must do.
const TRIES: u32 = 20;

/// Users and where the policy puts them.
#[derive(Clone, Debug)]
pub(super) struct People {
    form: Form,
    all: Vec<Person>,
}

/// A user.
#[derive(Clone, Copy, Debug)]
pub(super) struct Person {
    number: u32,
    /// The side that the core names.
    pub(super) side: VariantId,
}

/// What all requests have in common.
#[derive(Clone, Debug)]
struct Form {
    method: String,
    host: String,
    path: String,
    identity: Source,
    /// Where the geo stands, and which it is.
    geo: Option<(Source, String)>,
}

impl People {
    /// Makes users for a rollout of a policy, of whom a split decides and whom its guardrail counts.
    ///
    /// # Errors
    /// Says why there can be none.
    pub(super) fn of(
        policy: &Policy,
        text: &Value,
        rollout: &str,
        geo: Option<&str>,
        users: u32,
        now: Instant,
    ) -> Result<Self> {
        let identity = identity(&policy.identity)?;
        let geo = geo.map(|geo| Ok::<_, anyhow::Error>((place_of_geo(&policy.geo)?, geo.to_owned())));
        let geo = geo.transpose()?;
        let forms = matches(text, rollout).into_iter().map(|[method, host, path]| Form {
            method,
            host,
            path,
            identity: identity.clone(),
            geo: geo.clone(),
        });
        let forms: Vec<_> = forms.collect();
        let form = forms.iter().find(|form| form.reaches(policy, rollout, now));
        let form = form.with_context(|| elsewhere(policy, &forms, rollout, now))?.clone();
        let mut all = Vec::new();
        let wanted = usize::try_from(users)?;
        for number in 1..=users.saturating_mul(TRIES) {
            let decision = decide(policy, &form.view(number), Ambient::at(now));
            // Those whom a rule pins, or who have been excluded, are nobody's sample.
            let is_drawn = decision.judged && decision.reason == Reason::Split;
            if let Some(side) = decision.variant.filter(|_| is_drawn) {
                all.push(Person { number, side: side.id });
            }
            if all.len() == wanted {
                return Ok(Self { form, all });
            }
        }
        bail!("{}", uncounted(&decide(policy, &form.view(1), Ambient::at(now)), rollout))
    }

    /// All of them.
    pub(super) fn all(&self) -> &[Person] {
        &self.all
    }

    /// How many a side has.
    pub(super) fn count(&self, side: VariantId) -> usize {
        self.all.iter().filter(|person| person.side == side).count()
    }

    /// A user's request.
    pub(super) fn request(&self, person: Person) -> Request {
        let Form { method, host, .. } = &self.form;
        let request = Request::new(method, &self.form.target(person.number)).host(host);
        let headers = self.form.headers(person.number);
        headers.into_iter().fold(request, |request, (name, value)| request.header(&name, value))
    }

    /// A request in words: `GET shop.example.com/checkout`.
    pub(super) fn words(&self) -> String {
        let Form { method, host, path, .. } = &self.form;
        format!("{method} {host}{path}")
    }
}

impl Form {
    fn reaches(&self, policy: &Policy, rollout: &str, now: Instant) -> bool {
        let decided = decide(policy, &self.view(1), Ambient::at(now)).rollout;
        decided.is_some_and(|decided| &*decided.name == rollout)
    }

    /// The request as the core reads it.
    fn view(&self, number: u32) -> explain::Request {
        let request = explain::Request::new(&self.method, self.host.as_str(), self.target(number));
        let request = request.with_source("127.0.0.1");
        let headers = self.headers(number).into_iter();
        headers.fold(request, |request, (name, value)| request.with_header(Header::new(&name, value)))
    }

    fn values(&self, number: u32) -> impl Iterator<Item = (&Source, String)> {
        let geo = self.geo.as_ref().map(|(place, geo)| (place, geo.clone()));
        [(&self.identity, format!("user-{number:06}"))].into_iter().chain(geo)
    }

    fn headers(&self, number: u32) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        let mut cookies = Vec::new();
        for (place, value) in self.values(number) {
            match place.kind {
                SourceKind::Header => headers.push((place.name.to_string(), value)),
                SourceKind::Cookie => cookies.push(format!("{}={value}", place.name)),
                _ => {}
            }
        }
        if !cookies.is_empty() {
            headers.push(("cookie".to_owned(), cookies.join("; ")));
        }
        headers
    }

    /// The path and the query.
    fn target(&self, number: u32) -> String {
        let queries = self.values(number).filter(|(place, _)| place.kind == SourceKind::Query);
        let queries: Vec<_> = queries.map(|(place, value)| format!("{}={value}", place.name)).collect();
        if queries.is_empty() { self.path.clone() } else { format!("{}?{}", self.path, queries.join("&")) }
    }
}

fn can_be_made(source: &Source) -> bool {
    matches!(source.kind, SourceKind::Header | SourceKind::Cookie | SourceKind::Query)
}

/// The first place where the drill can put an identity, and the policy finds it.
fn identity(sources: &[Source]) -> Result<Source> {
    let place = sources.iter().position(can_be_made);
    let address = sources.iter().position(|source| source.kind == SourceKind::SourceAddress);
    match (place.and_then(|place| sources.get(place)), place, address) {
        (Some(_), Some(place), Some(address)) if address < place => bail!(
            "the policy takes the source address for the identity before all that the drill can send: all its \
             users come from 127.0.0.1, and would be one"
        ),
        (Some(source), ..) => Ok(source.clone()),
        (None, ..) => bail!(
            "the drill cannot make users for this policy: it needs an identity source that is a header, a \
             cookie or a query; a jwt_claim or a source_address alone will not do"
        ),
    }
}

fn place_of_geo(sources: &[Source]) -> Result<Source> {
    let place = sources.iter().find(|source| can_be_made(source));
    place.cloned().context("--geo: the policy has no geo source that is a header, a cookie or a query")
}

/// What a rollout is for, each combination: method, host and path.
fn matches(policy: &Value, rollout: &str) -> Vec<[String; 3]> {
    let rollouts = policy.get("rollouts").and_then(Value::as_array).into_iter().flatten();
    let own = rollouts.into_iter().find(|own| own.get("name").and_then(Value::as_str) == Some(rollout));
    let matching = own.and_then(|own| own.get("match"));
    let each = |key: &str, otherwise: &str| -> Vec<String> {
        let list = matching.and_then(|matching| matching.get(key)).and_then(Value::as_array);
        let texts = list.map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        texts.unwrap_or_else(|| vec![otherwise.to_owned()])
    };
    let mut all = Vec::new();
    for host in each("hosts", "127.0.0.1") {
        let host = host.strip_prefix('*').map_or_else(|| host.clone(), |rest| format!("drill{rest}"));
        for path in each("path_prefixes", "/") {
            for method in each("methods", "GET") {
                all.push([method, host.clone(), path.clone()]);
            }
        }
    }
    all
}

/// Why no request reaches the rollout.
fn elsewhere(policy: &Policy, forms: &[Form], rollout: &str, now: Instant) -> String {
    let Some(form) = forms.first() else { return format!("{rollout} is for no request") };
    let decided = decide(policy, &form.view(1), Ambient::at(now)).rollout;
    let other = decided.map_or("no rollout", |other| &other.name);
    format!("{} {}{} belongs to {other}, not to {rollout}", form.method, form.host, form.path)
}

/// Why users count for nothing.
fn uncounted(decision: &Decision<'_>, rollout: &str) -> String {
    let why = match (decision.reason, decision.rule) {
        (Reason::Disabled, _) => "it is not enabled".to_owned(),
        (Reason::Excluded, _) => "`exclude` holds for them".to_owned(),
        (Reason::TargetingMatch, Some(rule)) => format!("the rule {} decides for them", rule.name),
        (Reason::Anonymous, _) => "it finds no identity in them".to_owned(),
        (Reason::RolledBack, _) => "the policy's state has rolled it back".to_owned(),
        (Reason::Split, _) => "`guardrail.count` leaves them out".to_owned(),
        (reason, _) => format!("their reason is {}", reason.as_str()),
    };
    format!("too few of the drill's requests count for the guardrail of {rollout}: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn people(changes: &[(&str, Value)], own: &[(&str, Value)], geo: Option<&str>) -> Result<People> {
        let mut rollout = json!({
            "name": "checkout", "baseline": {"name": "stable"},
            "variants": [{"name": "canary", "weight": 10}], "guardrail": {"errors": {}},
        });
        for (key, value) in own {
            rollout[*key] = value.clone();
        }
        let mut text = json!({"version": 1, "identity": [{"header": "x-user-id"}], "rollouts": [rollout]});
        for (key, value) in changes {
            text[*key] = value.clone();
        }
        let policy = Policy::parse(text.to_string().as_bytes()).unwrap();
        People::of(&policy, &text, "checkout", geo, 1_000, 0)
    }

    fn sent(people: &People) -> String {
        String::from_utf8(people.request(people.all()[0]).bytes()).unwrap()
    }

    #[test]
    fn a_tenth_of_them_is_drawn_for_a_tenth() {
        let people = people(&[], &[], None).unwrap();
        assert_eq!(people.all().len(), 1_000);
        assert!((60..140).contains(&people.count(VariantId::variant(0))));
        assert_eq!(sent(&people), "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\nx-user-id: user-000001\r\n\r\n");
    }

    #[test]
    fn requests_are_as_the_rollout_wants_them() {
        let matching = json!({"hosts": ["*.example.com"], "path_prefixes": ["/pay"], "methods": ["POST"]});
        let sources = json!([{"jwt_claim": "sub"}, {"cookie": "uid"}]);
        let geo = json!([{"query": "country"}]);
        let people =
            people(&[("identity", sources), ("geo", geo)], &[("match", matching)], Some("DE")).unwrap();
        assert_eq!(
            sent(&people),
            "POST /pay?country=DE HTTP/1.1\r\nhost: drill.example.com\r\ncookie: uid=user-000001\r\n\r\n"
        );
    }

    #[test]
    fn who_cannot_be_made_is_told() {
        for (changes, own, why) in [
            (vec![("identity", json!([{"jwt_claim": "sub"}]))], vec![], "a jwt_claim or"),
            (
                vec![("identity", json!([{"source_address": true}, {"header": "x-user-id"}]))],
                vec![],
                "would be one",
            ),
            (vec![], vec![("enabled", json!(false))], "not enabled"),
            (vec![("exclude", json!({"methods": ["GET"]}))], vec![], "`exclude`"),
            (
                vec![],
                vec![("guardrail", json!({"errors": {}, "count": {"methods": ["POST"]}}))],
                "`guardrail.count`",
            ),
            (vec![], vec![("rules", json!([{"name": "all", "variant": "canary"}]))], "the rule all"),
        ] {
            let error = people(&changes, &own, None).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(people(&[], &[], Some("DE")).unwrap_err().to_string().contains("--geo"));
    }

    #[test]
    fn users_whom_a_rule_pins_are_passed_over() {
        let rule = json!([{"name": "one", "when": {"identity": ["user-000001"]}, "variant": "canary"}]);
        let people = people(&[], &[("rules", rule)], None).unwrap();
        assert!(sent(&people).contains("user-000002"));
    }
}
