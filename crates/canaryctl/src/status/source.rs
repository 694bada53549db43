//! Where figures come from: the admin interfaces of Envoys, or pages in Prometheus' format.

use std::fmt;
use std::io::ErrorKind;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use ureq::http::Uri;
use ureq::{Agent, Error, Timeout};

use super::snapshot::Snapshot;
use super::{admin_json, prometheus};

/// How long an Envoy may take for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A proxy of many clusters has many stats on its Prometheus page.
const LARGEST: u64 = 256 * 1024 * 1024;

/// What an admin is asked: all that is the filter's, with what histograms counted, and how long
/// it has run.
const STATS: &str = "/stats?format=json&filter=canary_%7Cserver.uptime&histogram_buckets=cumulative";

/// An address to read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As it was given, but for a slash at the end.
    url: String,
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Admin,
    Prometheus,
}

/// What was read from each endpoint, in their order.
pub(super) type Readings = Vec<Result<Snapshot>>;

impl Endpoint {
    /// Reads an argument: without a path it is an Envoy's admin, with one a page for Prometheus.
    ///
    /// # Errors
    /// Says what it must be.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "must be a URL: http://127.0.0.1:9901, or http://pod:15090/stats/prometheus";
        let uri: Uri = text.parse().map_err(|_| WANTED)?;
        match uri.scheme_str() {
            Some("http") => {}
            Some("https") => return Err("https is not spoken here: Envoy's admin is plain http"),
            _ => return Err(WANTED),
        }
        let form = if uri.path() == "/" { Form::Admin } else { Form::Prometheus };
        if form == Form::Admin && uri.query().is_some() {
            return Err(WANTED);
        }
        Ok(Self { url: text.trim_end_matches('/').to_owned(), form })
    }

    fn read(&self, agent: &Agent) -> Result<Snapshot> {
        let answer = |url: &str| -> Result<String, Error> {
            let mut answer = agent.get(url).call()?;
            answer.body_mut().with_config().limit(LARGEST).read_to_string()
        };
        let get = |url: &str| answer(url).map_err(said);
        match self.form {
            Form::Admin => admin_json::parse(&get(&format!("{}{STATS}", self.url))?),
            Form::Prometheus => prometheus::parse(&get(&self.url)?),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url)
    }
}

/// Reads all at once, so that one that does not answer keeps no other waiting.
pub(super) fn read_all(endpoints: &[Endpoint]) -> Readings {
    let agent = agent();
    thread::scope(|scope| {
        let start = |endpoint| {
            let agent = agent.clone();
            scope.spawn(move || Endpoint::read(endpoint, &agent))
        };
        let readers: Vec<_> = endpoints.iter().map(start).collect();
        let end = |reader: thread::ScopedJoinHandle<'_, _>| {
            reader.join().unwrap_or_else(|_| Err(anyhow!("the reader died")))
        };
        readers.into_iter().map(end).collect()
    })
}

/// Fails where there is nothing at all to show, and says why for each.
pub(super) fn some_readable(endpoints: &[Endpoint], readings: &Readings) -> Result<()> {
    if readings.iter().any(Result::is_ok) {
        return Ok(());
    }
    bail!("{}", unreadable(endpoints, readings).join("\ncanaryctl: "))
}

/// A line for each endpoint that could not be read.
pub(super) fn unreadable(endpoints: &[Endpoint], readings: &Readings) -> Vec<String> {
    let failed = endpoints.iter().zip(readings).filter_map(|(endpoint, reading)| {
        let error = reading.as_ref().err()?;
        Some(format!("cannot read {endpoint}: {error:#}"))
    });
    failed.collect()
}

fn agent() -> Agent {
    // An admin is on this machine or near: what the environment says of proxies is not for it.
    Agent::config_builder().timeout_global(Some(PATIENCE)).proxy(None).max_redirects(0).build().into()
}

/// An error in words for people.
fn said(error: Error) -> anyhow::Error {
    match error {
        Error::StatusCode(status) => anyhow!("it answers with {status}"),
        Error::Timeout(Timeout::Global) => anyhow!("no answer within {} s", PATIENCE.as_secs()),
        Error::Io(error) if error.kind() == ErrorKind::ConnectionRefused => {
            anyhow!("connection refused: is Envoy running, and is this its port?")
        }
        Error::Io(error) => error.into(),
        other => other.into(),
    }
}

/// Each proxy is to count once.
pub(super) fn distinct(endpoints: &[Endpoint]) -> Result<()> {
    for (place, endpoint) in endpoints.iter().enumerate() {
        if endpoints.iter().take(place).any(|other| other == endpoint) {
            bail!("--admin {endpoint} is given twice");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_tells_a_page_from_an_admin() {
        for (text, url, form) in [
            ("http://127.0.0.1:9901", "http://127.0.0.1:9901", Form::Admin),
            ("http://[::1]:9901/", "http://[::1]:9901", Form::Admin),
            ("http://pod:15090/stats/prometheus", "http://pod:15090/stats/prometheus", Form::Prometheus),
        ] {
            assert_eq!(Endpoint::parse(text), Ok(Endpoint { url: url.to_owned(), form }));
        }
    }

    #[test]
    fn what_is_no_plain_http_url_is_refused_with_the_reason() {
        for text in ["", "127.0.0.1:9901", "ftp://a", "http://", "http://a b", "http://a?b"] {
            assert!(Endpoint::parse(text).unwrap_err().contains("must be a URL"), "{text}");
        }
        assert!(Endpoint::parse("https://a").unwrap_err().contains("https"));
    }

    #[test]
    fn no_proxy_is_counted_twice() {
        let [one, other] = ["http://a", "http://b"].map(|url| Endpoint::parse(url).unwrap());
        assert!(distinct(&[one.clone(), other.clone()]).is_ok());
        let error = distinct(&[one.clone(), other, one]).unwrap_err();
        assert_eq!(error.to_string(), "--admin http://a is given twice");
    }
}
