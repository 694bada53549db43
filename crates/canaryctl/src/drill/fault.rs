//! How a variant fails, as an argument and in words.

use std::fmt;
use std::time::Duration;

use canary_core::guardrail::settings::Settings;

/// What the variant's upstream does from half-time on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// It answers so many percent of its requests with 503.
    Errors(f64),
    /// It answers so much later.
    Latency(Duration),
    /// It never answers.
    Hang,
}

/// The longest delay: Envoy itself gives up after 15 s.
const MOST_MS: u64 = 5_000;

impl Fault {
    /// Reads an argument such as `errors=50`.
    ///
    /// # Errors
    /// Says what it must be.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        const WANTED: &str = "must be errors=PERCENT (0 to 100), latency=MS (1 to 5000) or hang";
        let fault = match text.split_once('=') {
            None => (text == "hang").then_some(Self::Hang),
            Some(("errors", percent)) => {
                let percent = percent.trim_end_matches('%').parse().ok();
                percent.filter(|percent| (0.0..=100.0).contains(percent)).map(Self::Errors)
            }
            Some(("latency", millis)) => {
                let millis = millis.trim_end_matches("ms").parse().ok();
                let millis = millis.filter(|millis| (1..=MOST_MS).contains(millis));
                millis.map(|millis| Self::Latency(Duration::from_millis(millis)))
            }
            Some(_) => None,
        };
        fault.ok_or(WANTED)
    }

    /// What a guardrail that watches this must find; `None` where the drill can do nothing that
    /// it would see.
    pub(super) fn against(settings: &Settings) -> Option<Self> {
        let errors = settings.errors.map(|_| Self::Errors(50.0));
        errors.or_else(|| settings.latency.map(|_| Self::Latency(Duration::from_millis(200))))
    }

    /// Whether a guardrail watches what this does.
    pub(super) fn is_watched(self, settings: &Settings) -> bool {
        match self {
            Self::Errors(_) => settings.errors.is_some(),
            // A request that its client gave up counts as slow.
            Self::Latency(_) | Self::Hang => settings.latency.is_some(),
        }
    }

    /// How long a client waits for an answer of a variant that fails like this.
    pub(super) fn patience(self) -> Option<Duration> {
        (self == Self::Hang).then_some(Duration::from_secs(1))
    }

    /// How much longer a request takes.
    pub(super) fn delay(self) -> Duration {
        match self {
            Self::Errors(_) => Duration::ZERO,
            Self::Latency(delay) => delay,
            Self::Hang => self.patience().unwrap_or_default(),
        }
    }
}

/// As the argument is written.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Errors(percent) => write!(f, "errors={percent}"),
            Self::Latency(delay) => write!(f, "latency={}", delay.as_millis()),
            Self::Hang => f.write_str("hang"),
        }
    }
}

impl Fault {
    /// What a variant does that fails like this.
    pub(super) fn words(self) -> String {
        match self {
            Self::Errors(percent) => format!("answers {percent} % of its requests with 503"),
            Self::Latency(delay) => format!("takes {} ms longer", delay.as_millis()),
            Self::Hang => "no longer answers".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_a_kind_and_how_much_of_it() {
        for (text, fault) in [
            ("errors=50", Fault::Errors(50.0)),
            ("errors=0.5", Fault::Errors(0.5)),
            ("latency=200", Fault::Latency(Duration::from_millis(200))),
            ("hang", Fault::Hang),
        ] {
            assert_eq!(Fault::parse(text), Ok(fault));
            assert_eq!(fault.to_string(), text);
        }
        assert_eq!(Fault::parse("errors=5%"), Ok(Fault::Errors(5.0)));
        for text in
            ["", "errors", "errors=101", "errors=-1", "latency=0", "latency=60000", "hang=1", "noise=1"]
        {
            assert!(Fault::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn errors_come_first_where_both_are_watched() {
        assert_eq!(Fault::against(&Settings::default()), Some(Fault::Errors(50.0)));
        let latency = Settings { errors: None, ..Settings::default() };
        assert!(matches!(Fault::against(&latency), Some(Fault::Latency(_))));
        assert_eq!(Fault::against(&Settings { latency: None, ..latency }), None);
    }
}
