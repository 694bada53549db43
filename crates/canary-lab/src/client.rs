//! One keep-alive connection to a port on 127.0.0.1, and raw bytes for what no client would send.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::http::{Request, Response, parse};

const TIMEOUT: Duration = Duration::from_secs(20);

/// A client that keeps one connection alive.
///
/// A request is sent once and never again: one that fails is an error to the
/// caller, who may be counting. The connection is opened when it is first
/// needed, and anew after the server closed it or a request failed.
#[derive(Debug)]
pub struct Client {
    port: u16,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client {
    /// A client of this port on 127.0.0.1; it does not connect yet.
    pub fn new(port: u16) -> Self {
        Self { port, stream: None, buffer: Vec::new() }
    }

    /// Connects now rather than with the first request.
    pub fn connect(&mut self) -> Result<()> {
        self.stream = Some(open(self.port, TIMEOUT)?);
        Ok(())
    }

    /// Sends `GET path` with these headers.
    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Result<Response> {
        let request =
            headers.iter().fold(Request::get(path), |request, (name, value)| request.header(name, value));
        self.send(&request)
    }

    /// Sends a request and waits for its response.
    pub fn send(&mut self, request: &Request) -> Result<Response> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => open(self.port, TIMEOUT)?,
        };
        stream.write_all(&request.bytes()).context("sending a request")?;
        let response = read_response(&mut stream, &mut self.buffer, request.is_head())?;
        if !response.closes() {
            self.stream = Some(stream);
        }
        Ok(response)
    }
}

fn open(port: u16, timeout: Duration) -> Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream =
        TcpStream::connect_timeout(&address, timeout).with_context(|| format!("connecting to {address}"))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    Ok(stream)
}

fn read_response(stream: &mut TcpStream, buffer: &mut Vec<u8>, is_head: bool) -> Result<Response> {
    buffer.clear();
    let mut piece = [0; 16 * 1024];
    loop {
        let count = stream.read(&mut piece).context("reading a response")?;
        if count == 0 {
            bail!("connection closed after {} bytes of a response", buffer.len());
        }
        buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        let Some((response, length)) = parse(buffer, is_head)? else {
            continue;
        };
        if length != buffer.len() {
            bail!("{} bytes after the response", buffer.len() - length);
        }
        return Ok(response);
    }
}

/// Sends these bytes to a port on 127.0.0.1 and returns whatever came back: until a response is
/// complete, the server closes, or `timeout` has passed, which is no error.
pub fn raw(port: u16, bytes: &[u8], timeout: Duration) -> Result<Vec<u8>> {
    let end = Instant::now() + timeout;
    let mut stream = open(port, timeout)?;
    // A server may answer and close before it has read all: that is for the reader to see.
    let _ = stream.write_all(bytes);
    let mut buffer = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(buffer);
        }
        stream.set_read_timeout(Some(left))?;
        match stream.read(&mut piece) {
            Ok(0) => return Ok(buffer),
            Ok(count) => buffer.extend_from_slice(piece.get(..count).unwrap_or_default()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::ConnectionReset
                ) =>
            {
                return Ok(buffer);
            }
            Err(error) => return Err(error).context("reading raw bytes"),
        }
        if matches!(parse(&buffer, false), Ok(Some(_))) {
            return Ok(buffer);
        }
    }
}
