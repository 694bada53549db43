//! A request as words on a command line, read by the core as if Envoy held it.

use std::borrow::Cow;
use std::ffi::OsString;

use canary_core::request::RequestView;

/// One header of a request; the value is raw bytes, as on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    name: String,
    value: Vec<u8>,
}

/// A request that was never sent.
#[derive(Clone, Debug, Default)]
pub struct Request {
    headers: Vec<Header>,
    source: Option<String>,
}

impl Header {
    /// Reads `name: value`; the name is folded, the value is stripped as HTTP strips it.
    ///
    /// # Errors
    /// Says what is wrong where there is no colon or no name.
    pub fn parse(text: OsString) -> Result<Self, String> {
        let bytes = bytes(text)?;
        let colon =
            bytes.iter().position(|byte| *byte == b':').ok_or("there must be a colon: `name: value`")?;
        let (name, value) = bytes.split_at(colon);
        let value = value.strip_prefix(b":").unwrap_or(value);
        let token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
        if name.is_empty() || !name.iter().all(token) {
            return Err(
                "a header's name must stand before the colon; see --method, --host and --path too".into()
            );
        }
        Ok(Self::new(&String::from_utf8_lossy(name), value.trim_ascii()))
    }

    /// A header from its parts.
    pub fn new(name: &str, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_ascii_lowercase(), value: value.into() }
    }
}

impl Request {
    /// `method path` for this host, which may be empty.
    pub fn new(method: &str, host: impl Into<Vec<u8>>, path: impl Into<Vec<u8>>) -> Self {
        let pseudo =
            [Header::new(":method", method), Header::new(":authority", host), Header::new(":path", path)];
        Self { headers: pseudo.into(), source: None }
    }

    /// Adds a header behind those that are there.
    #[must_use]
    pub fn with_header(mut self, header: Header) -> Self {
        self.headers.push(header);
        self
    }

    /// Sets the address that Envoy takes for the client's.
    #[must_use]
    pub fn with_source(mut self, address: &str) -> Self {
        self.source = Some(address.to_owned());
        self
    }

    /// A request from what a user typed. A `host` header is the host, as Envoy has it, unless
    /// one is given apart.
    ///
    /// # Errors
    /// Where the host or the path are no bytes of this system.
    pub(crate) fn typed(args: &crate::cli::ExplainArgs) -> Result<Self, String> {
        let as_header = args.header.iter().find(|header| header.name == "host");
        let host = match (&args.host, as_header) {
            (Some(host), _) => bytes(host.clone())?,
            (None, Some(header)) => header.value.clone(),
            (None, None) => Vec::new(),
        };
        let mut request = Self::new(&args.method, host, bytes(args.path.clone())?);
        request.headers.extend(args.header.iter().filter(|header| header.name != "host").cloned());
        request.source = args.source.map(|address| address.to_string());
        Ok(request)
    }
}

impl RequestView for Request {
    fn header(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|header| header.name == name).map(|header| &*header.value)
    }

    fn joined(&self, name: &str, separator: &[u8]) -> Option<Cow<'_, [u8]>> {
        let named = self.headers.iter().filter(|header| header.name == name);
        let values: Vec<&[u8]> = named.map(|header| &*header.value).collect();
        (!values.is_empty()).then(|| values.join(separator).into())
    }

    fn source_address(&self) -> Option<Cow<'_, [u8]>> {
        self.source.as_ref().map(|address| address.as_bytes().into())
    }
}

/// The bytes of an argument: any on Unix, UTF-8 elsewhere.
#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it can fail")]
fn bytes(text: OsString) -> Result<Vec<u8>, String> {
    use std::os::unix::ffi::OsStringExt;
    Ok(text.into_vec())
}

/// The bytes of an argument: any on Unix, UTF-8 elsewhere.
#[cfg(not(unix))]
fn bytes(text: OsString) -> Result<Vec<u8>, String> {
    text.into_string().map(String::into_bytes).map_err(|_| "must be UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    fn parse(text: impl AsRef<OsStr>) -> Result<Header, String> {
        Header::parse(text.as_ref().to_owned())
    }

    #[test]
    fn names_are_folded_and_values_stripped() {
        assert_eq!(parse("X-User-Id:  alice "), Ok(Header::new("x-user-id", "alice")));
        assert_eq!(parse("a:"), Ok(Header::new("a", "")));
        assert_eq!(parse("a: b:c"), Ok(Header::new("a", "b:c")));
    }

    #[test]
    fn what_has_no_name_is_no_header() {
        for text in ["alice", ": x", ":path: /x", "a b: c", ""] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_value_may_be_any_bytes() {
        use std::os::unix::ffi::OsStrExt;
        let header = parse(OsStr::from_bytes(b"x-user-id: \xff\xfe"));
        assert_eq!(header, Ok(Header::new("x-user-id", b"\xff\xfe")));
    }

    #[test]
    fn of_one_name_the_first_counts() {
        let request = Request::new("GET", "", "/")
            .with_header(Header::new("A", "1"))
            .with_header(Header::new("a", "2"));
        assert_eq!(request.header("a"), Some(&b"1"[..]));
    }
}
