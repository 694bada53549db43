//! `--watch`: the picture again and again, in place on a terminal, else one after the other.

#![allow(clippy::disallowed_methods, reason = "a watch goes by the clock")]

use std::env;
use std::io::{IsTerminal, stdout};
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use canary_core::policy::Policy;

use super::frame::Frame;
use super::history::History;
use super::report::Report;
use super::screen::{Act, Screen};
use super::source::{self, Endpoint, Readings};
use super::text::{self, Line, Tone};
use super::{json, screen, time};
use crate::Outcome;
use crate::cli::{Format, StatusArgs};
use crate::interrupt::Interrupt;
use crate::streams::Streams;

/// How soon a key or Ctrl-C is noticed.
const LOOK: Duration = Duration::from_millis(50);

pub(super) fn run(args: &StatusArgs, policy: Option<&Policy>, streams: &mut Streams) -> Result<Outcome> {
    let interrupt = Interrupt::watch()?;
    let mut history = History::new(args.window);
    let mut output = None;
    let mut reader = None;
    let mut due = Instant::now();
    while !interrupt.came() {
        match wait(&mut output)? {
            Act::Quit => break,
            Act::Resized | Act::Nothing => {}
        }
        if reader.is_none() && Instant::now() >= due {
            due = Instant::now() + args.interval;
            reader = Some(read(&args.admin));
        }
        let Some(readings) = reader.as_ref().map(arrived).transpose()?.flatten() else { continue };
        reader = None;
        // With nothing ever read there is nothing to watch; later on an Envoy may come back.
        if output.is_none() {
            source::some_readable(&args.admin, &readings)?;
        }
        let (figures, span) = history.take(Instant::now(), &readings);
        if output.is_none() {
            super::exists(&figures, args.rollout.as_deref())?;
        }
        let knowledge = super::knowledge(policy, &figures, span, &readings);
        let report = Report::of(&figures, args.rollout.as_deref(), &knowledge);
        let trends = Some(history.trends());
        let frame = Frame { endpoints: &args.admin, readings: &readings, span, report, trends };
        let output = match &mut output {
            Some(output) => output,
            none => none.insert(Output::new(args)?),
        };
        output.show(&frame, args, streams)?;
    }
    Ok(Outcome::Good)
}

/// Where pictures go.
#[derive(Debug)]
enum Output {
    Screen(Screen, Vec<Line>),
    Lines,
    Json,
}

impl Output {
    fn new(args: &StatusArgs) -> Result<Self> {
        let dumb = env::var_os("TERM").is_some_and(|name| name == "dumb");
        Ok(match args.format {
            Format::Json => Self::Json,
            Format::Text if stdout().is_terminal() && !dumb => Self::Screen(Screen::enter()?, Vec::new()),
            Format::Text => Self::Lines,
        })
    }

    fn show(&mut self, frame: &Frame<'_>, args: &StatusArgs, streams: &mut Streams) -> Result<()> {
        match self {
            Self::Json => streams.say(json::object(frame, &time())),
            Self::Lines => {
                let text = screen::coloured(&text::lines(frame), stdout().is_terminal());
                streams.say(format_args!("--- {}\n{text}\n", time()))
            }
            Self::Screen(screen, lines) => {
                let head = format!("{}, every {:?}; q or Ctrl-C ends it", time(), args.interval);
                *lines = vec![Line { text: head, tone: Tone::Plain }];
                lines.extend(text::lines(frame));
                screen.draw(lines)
            }
        }
    }
}

/// Waits a moment, at the terminal for what is done there; a window of another size is drawn anew.
fn wait(output: &mut Option<Output>) -> Result<Act> {
    let Some(Output::Screen(screen, lines)) = output else {
        thread::sleep(LOOK);
        return Ok(Act::Nothing);
    };
    let act = screen.wait(LOOK)?;
    if act == Act::Resized {
        screen.draw(lines)?;
    }
    Ok(act)
}

/// Reads on a thread of its own: an Envoy that does not answer must not keep anyone from leaving.
fn read(endpoints: &[Endpoint]) -> Receiver<Readings> {
    let (sender, receiver) = channel();
    let endpoints = endpoints.to_vec();
    thread::spawn(move || {
        // Nobody waits for it any more where this fails.
        let _ = sender.send(source::read_all(&endpoints));
    });
    receiver
}

fn arrived(receiver: &Receiver<Readings>) -> Result<Option<Readings>> {
    match receiver.try_recv() {
        Ok(readings) => Ok(Some(readings)),
        Err(TryRecvError::Empty) => Ok(None),
        Err(TryRecvError::Disconnected) => bail!("the reader died"),
    }
}
