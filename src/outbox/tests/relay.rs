//! A relay inside the test: answers as its script says, and remembers what it
//! took.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Notify,
};

use crate::domain::delivery::Phase;

/// A command, or the end of a message, that waits for its answer.
pub(super) struct Asked {
    /// Which; [`Phase::Connect`] is the greeting.
    pub(super) phase: Phase,
    /// The recipient; empty before RCPT.
    pub(super) to: String,
    /// How often this was asked before for the same recipient.
    pub(super) before: usize,
}

pub(super) enum Answer {
    /// Go on, as a good relay does.
    Usual,
    /// These words; a 2xx after a message takes it.
    Say(&'static str),
    /// Nothing: the connection is closed.
    Close,
    /// Nothing, and the connection stays open.
    Silence,
    /// Go on, once the test says so.
    After(Arc<Notify>),
    /// The message is taken, and the connection closed without an answer.
    TakeAndClose,
}

type Script = dyn Fn(&Asked) -> Answer + Send + Sync;

pub(super) struct ScriptedRelay {
    pub(super) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    script: Box<Script>,
    is_pipelining: bool,
    asked: Mutex<HashMap<(Phase, String), usize>>,
    taken: Mutex<BTreeMap<String, usize>>,
    sessions: Mutex<usize>,
    progress: Notify,
}

impl ScriptedRelay {
    pub(super) async fn start(
        is_pipelining: bool,
        script: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            is_pipelining,
            asked: Mutex::default(),
            taken: Mutex::default(),
            sessions: Mutex::default(),
            progress: Notify::new(),
        });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                tokio::spawn(serve(socket, Arc::clone(&serving)));
            }
        });
        Self { port, shared }
    }

    /// How often each recipient's message was taken.
    pub(super) fn taken(&self) -> BTreeMap<String, usize> {
        self.shared.taken.lock().unwrap().clone()
    }

    /// Connections so far.
    pub(super) fn sessions(&self) -> usize {
        *self.shared.sessions.lock().unwrap()
    }

    /// How often this was asked so far, for all recipients.
    pub(super) fn asked(&self, phase: Phase) -> usize {
        let asked = self.shared.asked.lock().unwrap();
        asked
            .iter()
            .filter(|((which, _), _)| *which == phase)
            .map(|(_, count)| count)
            .sum()
    }

    /// Waits until this was asked so often.
    pub(super) async fn wait_for(&self, phase: Phase, count: usize) {
        loop {
            let progress = self.shared.progress.notified();
            if self.asked(phase) >= count {
                return;
            }
            progress.await;
        }
    }
}

struct Serving {
    shared: Arc<Shared>,
    lines: Lines<BufReader<OwnedReadHalf>>,
    out: OwnedWriteHalf,
}

async fn serve(socket: TcpStream, shared: Arc<Shared>) {
    *shared.sessions.lock().unwrap() += 1;
    socket.set_nodelay(true).unwrap();
    let (read, out) = socket.into_split();
    let mut serving = Serving {
        shared,
        lines: BufReader::new(read).lines(),
        out,
    };
    // A client that is gone ends the session; what counts was remembered.
    let _ = serving.talk().await;
}

impl Serving {
    async fn talk(&mut self) -> Option<()> {
        let mut to = String::new();
        let mut is_known = false;
        self.answer(Phase::Connect, "", "220 relay.example.net")
            .await?;
        while let Ok(Some(line)) = self.lines.next_line().await {
            let verb = line.get(..4).unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" if self.shared.is_pipelining => {
                    self.say("250-relay.example.net\r\n250 PIPELINING").await?;
                }
                "EHLO" => self.say("250 relay.example.net").await?,
                "RSET" => {
                    is_known = false;
                    self.say("250 2.0.0 forgotten").await?;
                }
                "QUIT" => return self.say("221 2.0.0 bye").await,
                "MAIL" => drop(self.answer(Phase::Mail, "", "250 2.1.0 fine").await?),
                "RCPT" => {
                    let (_, rest) = line.split_once('<').unwrap();
                    to = rest.split('>').next().unwrap().to_owned();
                    let words = self.answer(Phase::Rcpt, &to, "250 2.1.5 fine").await?;
                    is_known = words.starts_with('2');
                }
                // As some do, it finds out at the end that there is nobody.
                "DATA" if !is_known => {
                    self.say("354 go ahead").await?;
                    self.text().await?;
                    self.say("554 5.5.1 no valid recipients").await?;
                }
                "DATA" => {
                    let words = self.answer(Phase::Data, &to, "354 go ahead").await?;
                    if words.starts_with('3') {
                        self.text().await?;
                        is_known = false;
                        self.answer(Phase::Dot, &to, "250 2.0.0 taken").await?;
                    }
                }
                _ => self.say("500 5.5.2 what").await?,
            }
        }
        None
    }

    /// A message, to its dot.
    async fn text(&mut self) -> Option<()> {
        while self.lines.next_line().await.ok()?? != "." {}
        Some(())
    }

    /// Gives the script's answer, or the usual one; `None` ends the session.
    async fn answer(
        &mut self,
        phase: Phase,
        to: &str,
        usual: &'static str,
    ) -> Option<&'static str> {
        let before = {
            let mut asked = self.shared.asked.lock().unwrap();
            let count = asked.entry((phase, to.to_owned())).or_default();
            *count += 1;
            *count - 1
        };
        self.shared.progress.notify_waiters();
        let answer = (self.shared.script)(&Asked {
            phase,
            to: to.to_owned(),
            before,
        });
        let words = match answer {
            Answer::Usual => usual,
            Answer::Say(words) => words,
            Answer::Close => return None,
            Answer::Silence => {
                let mut rest = Vec::new();
                drop(self.lines.get_mut().read_to_end(&mut rest).await);
                return None;
            }
            Answer::After(go) => {
                go.notified().await;
                usual
            }
            Answer::TakeAndClose => {
                self.take(to);
                return None;
            }
        };
        if phase == Phase::Dot && words.starts_with('2') {
            self.take(to);
        }
        self.say(words).await?;
        Some(words)
    }

    fn take(&self, to: &str) {
        let mut taken = self.shared.taken.lock().unwrap();
        *taken.entry(to.to_owned()).or_default() += 1;
    }

    async fn say(&mut self, words: &str) -> Option<()> {
        let line = format!("{words}\r\n");
        self.out.write_all(line.as_bytes()).await.ok()
    }
}
