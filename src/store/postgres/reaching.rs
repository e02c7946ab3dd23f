//! Reaching a server, and waiting for what it says. Where several are named they
//! are asked one after the other, each for a time of its own: one whose machine is
//! gone, or which lets in and says nothing, must not keep the others from being
//! asked.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use tokio::{
    net::lookup_host,
    time::{sleep, timeout},
};
use tokio_postgres::{
    Client, Config, SimpleQueryMessage,
    config::{Host, TargetSessionAttrs},
};

use super::{Failure, Link, PAUSES, opening};
use crate::store::Health;

/// How long making a connection may take where there is only one address.
const ALONE: Duration = Duration::from_secs(10);

/// The same where another one can be asked instead.
const ONE_OF_SEVERAL: Duration = Duration::from_secs(3);

/// What a server that is out of patience with others has to say so.
const SLACK: Duration = Duration::from_secs(2);

/// How long an answer may still take once nobody is to wait for a server that is
/// away: a moment for one that is there.
const HURRIED: Duration = Duration::from_secs(5);

/// The port of PostgreSQL.
const PORT: u16 = 5432;

/// What is asked of a server before anything else: its history, what it promises (a
/// standby that was promoted may have other settings), and since when it has been
/// there. Statistics begin anew after a crash, also where the first process outlived it.
const FACTS: &str = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8),
                            current_setting('synchronous_commit'), current_setting('fsync'),
                            extract(epoch FROM pg_postmaster_start_time())
                            || ' ' || coalesce((SELECT extract(epoch FROM stats_reset)
                                                  FROM pg_stat_bgwriter), 0)";

/// The servers that a URL names, one by one, with its other settings and ours.
pub(super) fn places(named: &Config) -> Vec<Config> {
    let (hosts, addresses) = (named.get_hosts(), named.get_hostaddrs());
    let ports = named.get_ports();
    let one = |at: usize| {
        let mut place = nowhere(named);
        match hosts.get(at) {
            Some(Host::Tcp(name)) => place.host(name),
            #[cfg(unix)]
            Some(Host::Unix(path)) => place.host_path(path),
            None => &mut place,
        };
        if let Some(address) = addresses.get(at) {
            place.hostaddr(*address);
        }
        let port = ports.get(at).or_else(|| ports.first());
        place.port(port.copied().unwrap_or(PORT));
        place
    };
    (0..hosts.len().max(addresses.len())).map(one).collect()
}

/// Everything but where.
fn nowhere(named: &Config) -> Config {
    let mut config = Config::new();
    if let Some(user) = named.get_user() {
        config.user(user);
    }
    if let Some(password) = named.get_password() {
        config.password(password);
    }
    if let Some(name) = named.get_dbname() {
        config.dbname(name);
    }
    if let Some(options) = named.get_options() {
        config.options(options);
    }
    config
        .application_name("letterpress")
        .ssl_mode(named.get_ssl_mode())
        .ssl_negotiation(named.get_ssl_negotiation())
        .channel_binding(named.get_channel_binding())
        // Of several servers that are named, the one in charge; a standby that
        // is not promoted yet is as good as away.
        .target_session_attrs(TargetSessionAttrs::ReadWrite)
        .keepalives(named.get_keepalives())
        // A server whose machine is gone must not be waited for.
        .tcp_user_timeout(Duration::from_secs(30))
        .keepalives_idle(Duration::from_secs(15))
        .keepalives_interval(Duration::from_secs(5))
        .keepalives_retries(3);
    config
}

/// The addresses of a place. What cannot be found out is left to the attempt, which
/// says why.
async fn addresses(place: &Config) -> Vec<Config> {
    let (Some(Host::Tcp(name)), []) = (place.get_hosts().first(), place.get_hostaddrs()) else {
        return vec![place.clone()];
    };
    let port = place.get_ports().first().copied().unwrap_or(PORT);
    let found = timeout(ONE_OF_SEVERAL, lookup_host((name.as_str(), port))).await;
    let at = |address: std::net::SocketAddr| {
        let mut place = place.clone();
        place.hostaddr(address.ip());
        place
    };
    match found {
        Ok(Ok(found)) => found.map(at).collect(),
        _ => vec![place.clone()],
    }
}

impl Link {
    /// Connects, unless it is connected.
    pub(super) fn connect(&self) -> Result<(), Failure> {
        if self.client().is_ok() {
            return Ok(());
        }
        let client = self.runtime.block_on(self.reach())?;
        *self.client.borrow_mut() = Some(Arc::new(client));
        Ok(())
    }

    /// Asks one server after the other, beginning with the one that was reached
    /// last. Where none will do, what cannot pass by itself is told.
    async fn reach(&self) -> Result<Client, Failure> {
        let (count, first) = (self.places.len(), self.place.get());
        let mut told = Failure::Silent;
        for number in (0..count).map(|number| (first + number) % count) {
            let addresses = addresses(&self.places[number]).await;
            let patience = match count.max(addresses.len()) {
                1 => ALONE,
                _ => ONE_OF_SEVERAL,
            };
            for address in &addresses {
                let patience = patience.min(self.time_left());
                let reached = self.heard(patience, self.reach_at(address)).await;
                match reached.unwrap_or(Err(Failure::Silent)) {
                    Ok(client) => {
                        self.place.set(number);
                        return Ok(client);
                    }
                    Err(failure) if told.is_away() => told = failure,
                    Err(_) => {}
                }
            }
        }
        Err(told)
    }

    async fn reach_at(&self, address: &Config) -> Result<Client, Failure> {
        let session = address.connect(self.tls.clone()).await;
        let (client, connection) = session.map_err(Failure::of_beginning)?;
        // Its end is seen by whoever asks next.
        tokio::spawn(connection);
        let rows = client.simple_query(FACTS).await?;
        let facts = rows.iter().find_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        if let Some(facts) = facts {
            let text = |column| facts.get(column).unwrap_or_default();
            self.follow(text(0))?;
            if self.is_strict.get() {
                opening::judge(text(1), text(2))?;
            }
            text(3).clone_into(&mut self.incarnation.borrow_mut());
        }
        Ok(client)
    }

    /// Histories of a server only grow: one that ends before another that was seen
    /// is that of a server which was failed over from, and what is written there is
    /// lost.
    pub(super) fn follow(&self, history: &str) -> Result<(), Failure> {
        let Ok(timeline) = u32::from_str_radix(history, 16) else {
            return Ok(());
        };
        match self.newest.fetch_max(timeline, Ordering::Relaxed) {
            newest if timeline < newest => Err(Failure::LeftBehind),
            _ => Ok(()),
        }
    }

    pub(super) fn client(&self) -> Result<Arc<Client>, Failure> {
        let client = self.client.borrow();
        let open = client.as_ref().filter(|client| !client.is_closed());
        open.cloned().ok_or(Failure::Closed)
    }

    pub(super) fn hang_up(&self) {
        self.client.borrow_mut().take();
    }

    /// Bounds what transactions wait for answers, for who must not wait for longer
    /// than `patience`; what the server says when it is out of patience itself is
    /// still heard.
    pub(in crate::store) fn bound(&self, patience: Option<Duration>) {
        let bound = patience.map(|patience| (patience + SLACK, Instant::now() + patience + SLACK));
        self.bound.set(bound);
    }

    /// How long the beginning of a transaction may still take.
    pub(super) fn time_left(&self) -> Duration {
        let end = self.bound.get().map(|(_, end)| end);
        end.map_or(Duration::MAX, |end| {
            end.saturating_duration_since(Instant::now())
        })
    }

    /// Asks something whose answers are not waited for longer than that.
    pub(super) fn asking<T>(&self, longest: Duration, ask: impl FnOnce() -> T) -> T {
        let before = self.longest.replace(longest);
        let told = ask();
        self.longest.set(before);
        told
    }

    /// What comes within that time; once nobody is to wait for the server any more,
    /// soon.
    async fn heard<T>(&self, longest: Duration, answer: impl Future<Output = T>) -> Option<T> {
        let hurried = async {
            while !self.hurry.load(Ordering::Relaxed) {
                sleep(PAUSES.0).await;
            }
            sleep(HURRIED).await;
        };
        tokio::select! {
            biased;
            answer = timeout(longest, answer) => answer.ok(),
            () = hurried => None,
        }
    }

    /// Waits for an answer. Without one the session is given up: what comes late
    /// must not be taken for the answer to something else.
    pub(super) fn wait<T>(
        &self,
        question: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        let longest = self.longest.get();
        let answer = self.runtime.block_on(self.heard(longest, question));
        let failure = match answer {
            Some(Ok(answer)) => return Ok(answer),
            Some(Err(error)) => Failure::from(error),
            None => Failure::Silent,
        };
        if failure.is_away() {
            self.hang_up();
        }
        Err(failure)
    }

    /// Waits for a server that is away; false once that took too long.
    pub(super) fn waits(&self, failure: &Failure, pause: Duration) -> bool {
        let since = self.away_since.get().unwrap_or_else(Instant::now);
        self.away_since.set(Some(since));
        self.tell(Health::Away(failure.to_string()));
        let end = Instant::now() + pause;
        while Instant::now() < end {
            let is_over = since.elapsed() >= self.patience.get() || self.time_left().is_zero();
            if is_over || self.hurry.load(Ordering::Relaxed) {
                return false;
            }
            std::thread::sleep(PAUSES.0);
        }
        true
    }

    /// Rests, unless nobody is waited for any more.
    pub(super) fn rest(&self, span: Duration) {
        let end = Instant::now() + span;
        while Instant::now() < end && !self.hurry.load(Ordering::Relaxed) {
            std::thread::sleep(PAUSES.0);
        }
    }

    pub(super) fn tell(&self, health: Health) {
        if health == Health::Well {
            self.away_since.set(None);
        }
        self.health.send_if_modified(|known| {
            // Why it is away is told once, in the first words.
            let is_news = (*known == Health::Well) != (health == Health::Well);
            if is_news {
                *known = health;
            }
            is_news
        });
    }
}
