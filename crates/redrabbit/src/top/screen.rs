//! The terminal: drawn to, read from, and left as it was.

use std::{
    io,
    mem::ManuallyDrop,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use futures_util::future::select_all;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc::{Receiver, channel},
};

use super::{
    feed::Word,
    model::{Key, Model, Sort},
    view::{self, Style},
};

/// How often to look whether the program ends.
const LOOK: Duration = Duration::from_millis(100);

/// What was typed, or that the screen is another now.
enum Typed {
    Key(Key),
    Redraw,
}

/// Shows what is heard until the user, or a signal, ends it. The terminal is then as it
/// was, whatever has happened.
pub(super) async fn show(
    model: &mut Model,
    words: &mut Receiver<Word>,
    style: Style,
) -> io::Result<()> {
    let mut signals = Signals::new()?;
    let mut screen = Screen::new()?;
    let keys = Keys::read();
    let mut typed = keys.typed;
    loop {
        if !screen.draw(model, style) {
            return Ok(());
        }
        tokio::select! {
            word = words.recv() => match word {
                Some(Word::State(state)) => model.hear(*state),
                Some(Word::Away(away)) => model.away = Some(away.to_string()),
                None => return Ok(()),
            },
            typed = typed.recv() => match typed {
                Some(Typed::Key(key)) if !model.press(key) => return Ok(()),
                Some(_) => {}
                // The terminal is gone.
                None => return Ok(()),
            },
            () = signals.recv() => return Ok(()),
        }
    }
}

/// The terminal while it is ours; `try_init` sees to panics.
struct Screen(ManuallyDrop<DefaultTerminal>);

impl Screen {
    fn new() -> io::Result<Screen> {
        ratatui::try_init().map(|terminal| Screen(ManuallyDrop::new(terminal)))
    }

    /// Whether there still is a terminal.
    fn draw(&mut self, model: &mut Model, style: Style) -> bool {
        let drawn = self.0.draw(|frame| view::draw(frame, model, style));
        drawn.is_ok()
    }
}

impl Drop for Screen {
    /// Puts it back. Where it is gone, ratatui's own way would say so on the error
    /// output, which is gone too, and panic.
    fn drop(&mut self) {
        let _ = self.0.show_cursor();
        let _ = ratatui::try_restore();
    }
}

/// Whatever asks a program to end.
struct Signals([Signal; 4]);

impl Signals {
    fn new() -> io::Result<Signals> {
        Ok(Signals([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::quit())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    async fn recv(&mut self) {
        let each = self.0.iter_mut().map(|signal| Box::pin(signal.recv()));
        select_all(each).await;
    }
}

/// The thread that waits for keys: reading a terminal is no task.
struct Keys {
    typed: Receiver<Typed>,
    _end: End,
}

struct End(Arc<AtomicBool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Keys {
    fn read() -> Keys {
        let (typed_tx, typed) = channel(16);
        let ended = Arc::new(AtomicBool::new(false));
        let end = End(Arc::clone(&ended));
        thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                match event::poll(LOOK).and_then(|some| some.then(event::read).transpose()) {
                    Ok(None) => {}
                    Ok(Some(event)) => {
                        if let Some(typed) = meaning(&event)
                            && typed_tx.blocking_send(typed).is_err()
                        {
                            return;
                        }
                    }
                    Err(_) => return,
                }
            }
        });
        Keys { typed, _end: end }
    }
}

fn meaning(event: &Event) -> Option<Typed> {
    match event {
        Event::Key(key) if key.kind != KeyEventKind::Release => of_key(*key).map(Typed::Key),
        Event::Resize(..) => Some(Typed::Redraw),
        _ => None,
    }
}

fn of_key(key: KeyEvent) -> Option<Key> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return (key.code == KeyCode::Char('c')).then_some(Key::Quit);
    }
    Some(match key.code {
        KeyCode::Char('q') => Key::Quit,
        KeyCode::Esc | KeyCode::Backspace | KeyCode::Left => Key::Back,
        KeyCode::Enter | KeyCode::Right => Key::Enter,
        KeyCode::Up | KeyCode::Char('k') => Key::Up,
        KeyCode::Down | KeyCode::Char('j') => Key::Down,
        KeyCode::PageUp => Key::PageUp,
        KeyCode::PageDown | KeyCode::Char(' ') => Key::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Key::Home,
        KeyCode::End | KeyCode::Char('G') => Key::End,
        KeyCode::Char('s') => Key::NextSort,
        KeyCode::Char('r') => Key::Reverse,
        KeyCode::Char('n') => Key::By(Sort::Name),
        KeyCode::Char('l') => Key::By(Sort::Sessions),
        KeyCode::Char('c') => Key::By(Sort::Cpu),
        KeyCode::Char('m') => Key::By(Sort::Memory),
        KeyCode::Char('t') => Key::By(Sort::Traffic),
        KeyCode::Char('b') => Key::By(Sort::Queue),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(code: KeyCode, modifiers: KeyModifiers) -> Option<Key> {
        of_key(KeyEvent::new(code, modifiers))
    }

    #[test]
    fn keys_mean_what_the_last_line_says() {
        let plain = |code| key(code, KeyModifiers::NONE);
        assert_eq!(plain(KeyCode::Char('q')), Some(Key::Quit));
        assert_eq!(plain(KeyCode::Esc), Some(Key::Back));
        assert_eq!(plain(KeyCode::Char('c')), Some(Key::By(Sort::Cpu)));
        assert_eq!(plain(KeyCode::Char('b')), Some(Key::By(Sort::Queue)));
        assert_eq!(
            key(KeyCode::Char('c'), KeyModifiers::CONTROL),
            Some(Key::Quit)
        );
        assert_eq!(key(KeyCode::Char('q'), KeyModifiers::CONTROL), None);
        assert_eq!(plain(KeyCode::Char('?')), None);
    }
}
