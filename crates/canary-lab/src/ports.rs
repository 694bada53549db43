//! Which TCP ports an Envoy listens on, and how they get into its bootstrap.
//!
//! Envoy binds with `SO_REUSEPORT`, so two of them on one port would share its
//! traffic in silence. Ports are therefore taken from below the range that the
//! kernel hands out to clients, and each is held by a file lock while it is in
//! use, so that test processes running side by side never meet.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

use anyhow::{Context, Result, bail};

/// Below Linux's and macOS's ephemeral ranges, above what people use by hand.
const RANGE: Range<u16> = 12_000..32_000;

/// The ports as they stand in `envoy/envoy.yaml`.
const MAIN: u16 = 10_000;
const ADMIN: u16 = 9901;
const UPSTREAMS: [u16; 2] = [10_001, 10_002];

/// One port on 127.0.0.1 that no other lab on this machine will take while this value lives.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: Option<File>,
}

impl Port {
    /// A port on which nothing listens.
    pub fn free() -> Result<Self> {
        let span = RANGE.end - RANGE.start;
        // Processes start searching at different places; the lock settles the rest.
        let seed = u64::from(std::process::id()).wrapping_mul(7919) % u64::from(span);
        let seed = u16::try_from(seed).unwrap_or_default();
        for step in 0..span {
            let number = RANGE.start + (seed + step) % span;
            if let Some(port) = Self::try_take(number)? {
                return Ok(port);
            }
        }
        bail!("no free port between {} and {}", RANGE.start, RANGE.end)
    }

    /// This very port, or an error that names `variable` where something listens on it already.
    pub fn fixed(number: u16, variable: &str) -> Result<Self> {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, number)) {
            Ok(_) => Ok(Self { number, _lock: None }),
            Err(error) if error.kind() == ErrorKind::AddrInUse => bail!(
                "port {number} on 127.0.0.1 is in use; choose others with PORT= and ADMIN_PORT= \
                 (this one is {variable}={number})"
            ),
            Err(error) => Err(error).with_context(|| format!("{variable}={number}")),
        }
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }

    fn try_take(number: u16) -> Result<Option<Self>> {
        let directory = std::env::temp_dir().join("canary-lab-ports");
        std::fs::create_dir_all(&directory).context("a directory for port locks")?;
        let path = directory.join(number.to_string());
        // Another user's lock file cannot be opened: that port is theirs.
        let Ok(lock) = OpenOptions::new().create(true).append(true).open(&path) else {
            return Ok(None);
        };
        if lock.try_lock().is_err() || TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_err() {
            return Ok(None);
        }
        Ok(Some(Self { number, _lock: Some(lock) }))
    }
}

/// The four ports of `envoy/envoy.yaml`: main listener, admin, and the demo's two upstreams.
#[derive(Debug)]
pub struct Ports {
    main: Port,
    admin: Port,
    upstreams: [Port; 2],
}

impl Ports {
    /// Four free ports, for labs that run side by side.
    pub fn free() -> Result<Self> {
        Ok(Self { main: Port::free()?, admin: Port::free()?, upstreams: [Port::free()?, Port::free()?] })
    }

    /// The two ports that a user asked for; those that only Envoy itself uses are any free ones.
    pub fn fixed(main: u16, admin: u16) -> Result<Self> {
        if main == admin {
            bail!("PORT= and ADMIN_PORT= must differ, both are {main}");
        }
        Ok(Self {
            main: Port::fixed(main, "PORT")?,
            admin: Port::fixed(admin, "ADMIN_PORT")?,
            upstreams: [Port::free()?, Port::free()?],
        })
    }

    /// Where the main listener answers.
    pub fn main(&self) -> u16 {
        self.main.number
    }

    /// Where the admin interface answers.
    pub fn admin(&self) -> u16 {
        self.admin.number
    }

    /// Puts these ports in the place of 10000, 9901, 10001 and 10002 wherever one stands as a
    /// `port_value`; a bootstrap without a main or admin port is an error.
    pub fn substitute(&self, bootstrap: &str) -> Result<String> {
        const KEY: &str = "port_value:";
        let [v1, v2] = &self.upstreams;
        let ours = [
            (MAIN, self.main.number),
            (ADMIN, self.admin.number),
            (UPSTREAMS[0], v1.number),
            (UPSTREAMS[1], v2.number),
        ];
        let mut seen = Vec::new();
        let mut pieces = bootstrap.split(KEY);
        let mut out = pieces.next().unwrap_or_default().to_owned();
        for piece in pieces {
            out.push_str(KEY);
            let value = piece.trim_start_matches([' ', '"', '\'']);
            let (lead, _) = piece.split_at(piece.len() - value.len());
            let rest = value.trim_start_matches(|c: char| c.is_ascii_digit());
            let (digits, _) = value.split_at(value.len() - rest.len());
            let theirs = digits.parse::<u16>().ok();
            out.push_str(lead);
            match ours.iter().find(|(from, _)| Some(*from) == theirs) {
                Some((from, to)) => {
                    seen.push(*from);
                    out.push_str(&to.to_string());
                }
                None => out.push_str(digits),
            }
            out.push_str(rest);
        }
        for needed in [MAIN, ADMIN] {
            if !seen.contains(&needed) {
                bail!("the bootstrap has no `port_value: {needed}` to replace");
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_differ_while_they_are_held() {
        let held: Vec<_> = (0..20).map(|_| Port::free().unwrap()).collect();
        let mut numbers: Vec<_> = held.iter().map(Port::number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), held.len());
    }

    #[test]
    fn a_port_in_use_names_both_variables() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let number = taken.local_addr().unwrap().port();
        let error = Ports::fixed(number, 1).unwrap_err().to_string();
        assert!(error.contains("PORT=") && error.contains("ADMIN_PORT="));
        assert!(error.contains(&number.to_string()));
    }

    #[test]
    fn whole_port_values_are_replaced_and_nothing_else() {
        let ports = Ports::free().unwrap();
        let text = "a: {port_value: 10000}\nb: {port_value: 100001, x: 9901}\nport_value:  \"9901\"\n# 10001";
        let out = ports.substitute(text).unwrap();
        let (main, admin) = (ports.main(), ports.admin());
        assert_eq!(
            out,
            format!(
                "a: {{port_value: {main}}}\nb: {{port_value: 100001, x: 9901}}\nport_value:  \"{admin}\"\n# 10001"
            )
        );
    }

    #[test]
    fn a_bootstrap_without_the_main_port_is_an_error() {
        let error = Ports::free().unwrap().substitute("port_value: 9901");
        assert!(error.unwrap_err().to_string().contains("10000"));
    }
}
