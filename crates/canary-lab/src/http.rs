//! The little of HTTP/1.1 that a load client needs: a request as prepared bytes, a response parsed.
//!
//! Written by hand and not taken from a library because the tests must be able
//! to send what a proper client refuses to, and because what the client burns is
//! missing on the two cores that a bench shares with Envoy.

use anyhow::{Context, Result, bail};

/// A request to send, as often as wanted: its bytes are prepared once.
#[derive(Debug, Clone)]
pub struct Request {
    head: Vec<u8>,
    body: Vec<u8>,
    is_head: bool,
}

impl Request {
    /// `GET path`, for the host `127.0.0.1` unless [`Request::host`] says another.
    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// A request with any method.
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            head: format!("{method} {path} HTTP/1.1\r\n").into_bytes(),
            body: Vec::new(),
            is_head: method == "HEAD",
        }
    }

    /// Adds a header; the value's bytes go out as they are, CR and LF too.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.head.extend_from_slice(name.as_bytes());
        self.head.extend_from_slice(b": ");
        self.head.extend_from_slice(value.as_ref());
        self.head.extend_from_slice(b"\r\n");
        self
    }

    /// Sets the host.
    #[must_use]
    pub fn host(self, host: &str) -> Self {
        self.header("host", host)
    }

    /// Sets the body; its length is added when it is sent.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The bytes as they go over the wire.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.head.len() + self.body.len() + 48);
        out.extend_from_slice(&self.head);
        if !contains(&self.head, b"\r\nhost: ") {
            out.extend_from_slice(b"host: 127.0.0.1\r\n");
        }
        if !self.body.is_empty() {
            out.extend_from_slice(format!("content-length: {}\r\n", self.body.len()).as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
        out
    }

    /// Whether the response to it has no body whatever its headers say.
    pub(crate) fn is_head(&self) -> bool {
        self.is_head
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|part| part == needle)
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in order of arrival, names in lower case, values raw.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
}

impl Response {
    /// The first value of this header as text, bytes that are not UTF-8 replaced.
    pub fn header(&self, name: &str) -> Option<String> {
        let value = self.header_bytes(name)?;
        Some(String::from_utf8_lossy(value).into_owned())
    }

    /// The first value of this header as it came.
    pub fn header_bytes(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice())
    }

    /// How often this header came.
    pub fn header_count(&self, name: &str) -> usize {
        self.headers.iter().filter(|(key, _)| key == name).count()
    }

    /// The body as text, bytes that are not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether the server closes the connection after this.
    pub(crate) fn closes(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Parses one response from the start of `bytes`: it and its length, or `None` while more must come.
pub(crate) fn parse(bytes: &[u8], is_head: bool) -> Result<Option<(Response, usize)>> {
    let mut fields = [httparse::EMPTY_HEADER; 128];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(head_len) = head.parse(bytes).context("response head")? else {
        return Ok(None);
    };
    let mut response = Response {
        status: head.code.context("response without a status")?,
        headers: head
            .headers
            .iter()
            .map(|field| (field.name.to_ascii_lowercase(), field.value.to_vec()))
            .collect(),
        body: Vec::new(),
    };
    let rest = bytes.get(head_len..).unwrap_or_default();
    if is_head || matches!(response.status, 100..=199 | 204 | 304) {
        return Ok(Some((response, head_len)));
    }
    if response.header("transfer-encoding").as_deref() == Some("chunked") {
        let Some((body, body_len)) = dechunk(rest)? else {
            return Ok(None);
        };
        response.body = body;
        return Ok(Some((response, head_len + body_len)));
    }
    let Some(length) = response.header("content-length") else {
        // Without a length it ends with the connection: the reader decides.
        return Ok(None);
    };
    let length: usize = length.parse().context("content-length")?;
    let Some(body) = rest.get(..length) else {
        return Ok(None);
    };
    response.body = body.to_vec();
    Ok(Some((response, head_len + length)))
}

/// Joins the chunks at the start of `bytes`: the body and how many bytes it took, once complete.
fn dechunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let rest = bytes.get(at..).unwrap_or_default();
        let Ok(parsed) = httparse::parse_chunk_size(rest) else {
            bail!("invalid chunk size");
        };
        let httparse::Status::Complete((line, size)) = parsed else {
            return Ok(None);
        };
        let size = usize::try_from(size).context("chunk size")?;
        // Each chunk, the last one too, ends with CR LF.
        let end = line + size + 2;
        let Some(chunk) = rest.get(line..end) else {
            return Ok(None);
        };
        body.extend_from_slice(chunk.get(..size).unwrap_or_default());
        at += end;
        if size == 0 {
            return Ok(Some((body, at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_complete_with_its_last_byte() {
        let bytes = b"HTTP/1.1 200 OK\r\nX-A: 1\r\ncontent-length: 5\r\n\r\nhello";
        for cut in 0..bytes.len() {
            assert!(parse(&bytes[..cut], false).unwrap().is_none(), "cut at {cut}");
        }
        let (response, length) = parse(bytes, false).unwrap().unwrap();
        assert_eq!((response.status, length), (200, bytes.len()));
        assert_eq!(response.header("x-a").unwrap(), "1");
        assert_eq!(response.text(), "hello");
    }

    #[test]
    fn chunks_are_joined() {
        let bytes =
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\nHTTP";
        let (response, length) = parse(bytes, false).unwrap().unwrap();
        assert_eq!(response.text(), "abcde");
        assert_eq!(length, bytes.len() - 4);
        assert!(parse(&bytes[..bytes.len() - 6], false).unwrap().is_none());
    }

    #[test]
    fn a_head_response_has_no_body() {
        let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n";
        assert!(parse(bytes, true).unwrap().is_some());
    }

    #[test]
    fn requests_carry_a_host_and_a_length() {
        let text = |request: Request| String::from_utf8(request.bytes()).unwrap();
        assert_eq!(
            text(Request::get("/x").header("a", "b")),
            "GET /x HTTP/1.1\r\na: b\r\nhost: 127.0.0.1\r\n\r\n"
        );
        assert_eq!(
            text(Request::new("POST", "/").host("h").body("hi")),
            "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 2\r\n\r\nhi"
        );
    }
}
