//! The terminal: a picture that is redrawn in place, and a terminal that is as before when it ends.

use std::env;
use std::io::{Stdout, Write, stdout};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use crossterm::style::{Color, Print, ResetColor, SetForegroundColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
    LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{execute, queue};

use super::text::{Line, Tone};

/// A terminal in raw mode, on its other screen.
#[derive(Debug)]
pub(super) struct Screen {
    out: Stdout,
    taken: Arc<AtomicBool>,
}

/// What somebody at the terminal did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    Resized,
    Quit,
}

impl Screen {
    /// Takes over the terminal, until this is dropped; a panic gives it back first, so that its
    /// message can be read.
    pub(super) fn enter() -> Result<Self> {
        let mut screen = Self { out: stdout(), taken: Arc::new(AtomicBool::new(true)) };
        let (taken, before) = (Arc::clone(&screen.taken), panic::take_hook());
        panic::set_hook(Box::new(move |info| {
            restore(&taken);
            before(info);
        }));
        enable_raw_mode().context("taking over the terminal")?;
        execute!(screen.out, EnterAlternateScreen, Hide).context("taking over the terminal")?;
        Ok(screen)
    }

    /// Draws what fits.
    pub(super) fn draw(&mut self, lines: &[Line]) -> Result<()> {
        let (width, height) = size().map_or((80, 24), |(width, height)| (width.into(), height.into()));
        queue!(self.out, BeginSynchronizedUpdate, MoveTo(0, 0))?;
        let fits = lines.len() <= height;
        let shown = if fits { lines.len() } else { height.saturating_sub(1) };
        for (place, line) in lines.iter().take(shown).enumerate() {
            let cut: String = line.text.chars().take(width).collect();
            let line = Line { text: cut, tone: line.tone };
            // The newline stands before, or the last line would scroll.
            let newline = if place == 0 { "" } else { "\r\n" };
            queue!(
                self.out,
                Print(newline),
                Print(coloured_line(&line, true)),
                Clear(ClearType::UntilNewLine)
            )?;
        }
        if !fits {
            let more = format!("\r\n({} more lines: make the window taller)", lines.len() - shown);
            let more: String = more.chars().take(width + 2).collect();
            queue!(self.out, Print(more), Clear(ClearType::UntilNewLine))?;
        }
        queue!(self.out, Clear(ClearType::FromCursorDown), EndSynchronizedUpdate)?;
        self.out.flush().context("drawing")
    }

    /// Waits so long for somebody to do something.
    #[expect(clippy::unused_self, reason = "a terminal that was not taken over has no keys")]
    pub(super) fn wait(&self, time: Duration) -> Result<Act> {
        if !event::poll(time).context("reading keys")? {
            return Ok(Act::Nothing);
        }
        Ok(match event::read().context("reading keys")? {
            Event::Resize(..) => Act::Resized,
            Event::Key(key) if key.kind == KeyEventKind::Press => match key.code {
                KeyCode::Char('q') => Act::Quit,
                // In raw mode it is a key as any other.
                KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Act::Quit,
                _ => Act::Nothing,
            },
            _ => Act::Nothing,
        })
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        restore(&self.taken);
    }
}

/// Once only: a second time would write over what a panic has said.
fn restore(taken: &AtomicBool) {
    if taken.swap(false, Ordering::Relaxed) {
        let _ = disable_raw_mode();
        let _ = execute!(stdout(), ResetColor, LeaveAlternateScreen, Show);
    }
}

/// Lines as one text, with colours only where they are seen and wanted.
pub(super) fn coloured(lines: &[Line], terminal: bool) -> String {
    let lines: Vec<_> = lines.iter().map(|line| coloured_line(line, terminal)).collect();
    lines.join("\n")
}

fn coloured_line(line: &Line, terminal: bool) -> String {
    let wanted = terminal && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let colour = match line.tone {
        Tone::Plain => None,
        Tone::Suspicious => Some(Color::Yellow),
        Tone::Bad => Some(Color::Red),
    };
    // Names come from elsewhere, and are to be read, not obeyed.
    let text: String = line.text.chars().map(|it| if it.is_control() { '?' } else { it }).collect();
    match colour.filter(|_| wanted) {
        None => text,
        Some(colour) => format!("{}{text}{ResetColor}", SetForegroundColor(colour)),
    }
}
