//! An upstream outside of Envoy that keeps what reached it, every header as often as it came.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Serves until the process ends; its connections go with their Envoy.
pub(crate) struct Upstream {
    port: u16,
    heads: Arc<Mutex<Vec<Head>>>,
}

/// The head of one request.
#[derive(Clone, Debug)]
pub(crate) struct Head(String);

impl Head {
    /// The path with the query.
    pub(crate) fn path(&self) -> &str {
        self.0.split(' ').nth(1).unwrap()
    }

    /// All values of a header.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        let headers = self.0.lines().skip(1).filter_map(|line| line.split_once(": "));
        headers.filter(|(key, _)| *key == name).map(|(_, value)| value).collect()
    }

    /// The first value of a header.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.all(name).first().copied()
    }

    /// Whether this stands anywhere.
    pub(crate) fn contains(&self, text: &str) -> bool {
        self.0.contains(text)
    }
}

impl Upstream {
    /// Answers every request, none of which may have a body, with a 200 and these headers.
    pub(crate) fn start(headers: &[(&str, &str)]) -> Self {
        let headers: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let headers = headers.concat();
        Self::answering(move |_| format!("HTTP/1.1 200 OK\r\n{headers}content-length: 0\r\n\r\n"))
    }

    /// Answers every request, none of which may have a body, with the bytes that `answer` makes
    /// of its head. A connection waits while it thinks.
    pub(crate) fn answering(answer: impl Fn(&Head) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let upstream = Self { port: listener.local_addr().unwrap().port(), heads: Arc::default() };
        let heads = upstream.heads.clone();
        let answer = Arc::new(answer);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, heads) = (answer.clone(), heads.clone());
                std::thread::spawn(move || serve(&stream.unwrap(), &*answer, &heads));
            }
        });
        upstream
    }

    /// Where it answers.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What has come since this was last asked, in order.
    pub(crate) fn take(&self) -> Vec<Head> {
        std::mem::take(&mut *self.heads.lock().unwrap())
    }

    /// The one request that has come since.
    pub(crate) fn take_one(&self) -> Head {
        let mut heads = self.take();
        assert_eq!(heads.len(), 1, "{heads:?}");
        heads.remove(0)
    }
}

fn serve(mut stream: &TcpStream, answer: &dyn Fn(&Head) -> String, heads: &Mutex<Vec<Head>>) {
    let mut reader = BufReader::new(stream);
    let mut text = String::new();
    // Envoy's end closes the connection.
    while reader.read_line(&mut text).is_ok_and(|len| len > 0) {
        if text.ends_with("\r\n\r\n") {
            let head = Head(std::mem::take(&mut text));
            let answer = answer(&head);
            heads.lock().unwrap().push(head);
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}
