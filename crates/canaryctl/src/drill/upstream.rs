//! A side's upstream: a small server on a port of its own that answers soon and, when it is told
//! to, fails.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};

use super::dice::Dice;
use super::fault::Fault;

/// The response header that names the side.
pub(super) const SIDE: &str = "x-drill-side";

/// The response header of a request that was failed on purpose.
pub(super) const HIT: &str = "x-drill-hit";

/// No request takes less, and few take more than some times this.
const USUAL_MS: f64 = 2.0;

/// What is longer is no request of the drill.
const LONGEST_HEAD: usize = 64 * 1024;

/// A server that ends when this is dropped; its connections end with the proxy's.
#[derive(Debug)]
pub(super) struct Upstream {
    port: u16,
    orders: Arc<Orders>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the server is told while it serves.
#[derive(Debug)]
struct Orders {
    side: String,
    fault: Fault,
    fails: AtomicBool,
    ended: AtomicBool,
}

impl Upstream {
    /// Starts to serve a side; it is healthy at first.
    pub(super) fn start(side: &str, fault: Fault) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("a port for an upstream")?;
        let port = listener.local_addr().context("an upstream's port")?.port();
        let orders = Orders {
            side: side.to_owned(),
            fault,
            fails: AtomicBool::new(false),
            ended: AtomicBool::new(false),
        };
        let orders = Arc::new(orders);
        let acceptor = thread::spawn({
            let orders = Arc::clone(&orders);
            move || accept(&listener, &orders)
        });
        Ok(Self { port, orders, acceptor: Some(acceptor) })
    }

    /// Where it listens on 127.0.0.1.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// From now on it fails, or no longer.
    pub(super) fn fail(&self, fails: bool) {
        self.orders.fails.store(fails, Ordering::Relaxed);
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.orders.ended.store(true, Ordering::Relaxed);
        // The acceptor looks up only when somebody comes.
        let woken = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        if let (Ok(_), Some(acceptor)) = (woken, self.acceptor.take()) {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, orders: &Arc<Orders>) {
    for (seed, stream) in (0..).zip(listener.incoming()) {
        if orders.ended.load(Ordering::Relaxed) {
            return;
        }
        if let Ok(stream) = stream {
            let orders = Arc::clone(orders);
            thread::spawn(move || serve(stream, &orders, Dice::new(seed)));
        }
    }
}

/// Answers whatever comes on a connection until it is closed.
fn serve(mut stream: TcpStream, orders: &Orders, mut dice: Dice) {
    let _ = stream.set_nodelay(true);
    let mut head = Vec::new();
    while read_head(&mut stream, &mut head) {
        // Most take little longer than the least, some a good deal longer.
        let usual = USUAL_MS * (0.5 - dice.unit().ln());
        thread::sleep(Duration::from_secs_f64(usual / 1e3));
        let is_hit = match orders.fault {
            _ if !orders.fails.load(Ordering::Relaxed) => false,
            Fault::Errors(percent) => dice.unit() * 100.0 < percent,
            Fault::Latency(delay) => {
                thread::sleep(delay);
                true
            }
            // Nothing but the end can come next.
            Fault::Hang => continue,
        };
        let is_error = is_hit && matches!(orders.fault, Fault::Errors(_));
        let status = if is_error { "503 Service Unavailable" } else { "200 OK" };
        let hit = if is_hit { format!("{HIT}: true\r\n") } else { String::new() };
        let answer =
            format!("HTTP/1.1 {status}\r\n{SIDE}: {}\r\n{hit}content-length: 0\r\n\r\n", orders.side);
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Reads a request, which has no body; false where the connection has ended.
fn read_head(stream: &mut TcpStream, head: &mut Vec<u8>) -> bool {
    head.clear();
    let mut piece = [0; 4096];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut piece) {
            Ok(count @ 1..) if head.len() < LONGEST_HEAD => {
                head.extend_from_slice(piece.get(..count).unwrap_or_default());
            }
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use canary_lab::Client;

    use super::*;

    #[test]
    fn it_fails_when_it_is_told_to_and_not_before() {
        let upstream = Upstream::start("canary", Fault::Errors(100.0)).unwrap();
        let mut client = Client::new(upstream.port());
        let mut get = || client.get("/", &[("a", "b")]).unwrap();
        assert_eq!((get().status, get().header(SIDE).as_deref()), (200, Some("canary")));
        upstream.fail(true);
        let answer = get();
        assert_eq!((answer.status, answer.header(HIT).as_deref()), (503, Some("true")));
        upstream.fail(false);
        assert_eq!(get().header_count(HIT), 0);
    }

    #[test]
    fn a_part_of_its_requests_fails() {
        let upstream = Upstream::start("canary", Fault::Errors(50.0)).unwrap();
        upstream.fail(true);
        let mut client = Client::new(upstream.port());
        let failed = (0..200).filter(|_| client.get("/", &[]).unwrap().status == 503).count();
        assert!((60..140).contains(&failed), "{failed}");
    }

    #[test]
    fn what_hangs_never_answers() {
        let upstream = Upstream::start("canary", Fault::Hang).unwrap();
        upstream.fail(true);
        let answer = canary_lab::raw(upstream.port(), b"GET / HTTP/1.1\r\n\r\n", Duration::from_millis(100));
        assert_eq!(answer.unwrap(), b"");
    }

    #[test]
    fn nobody_listens_once_it_is_dropped() {
        let upstream = Upstream::start("canary", Fault::Hang).unwrap();
        let port = upstream.port();
        drop(upstream);
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
