//! A session against a server that says exactly these bytes: groups of commands
//! whose answers are refused, missing, too many, cut or torn apart.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::*;
use crate::{
    config::settings::{RelayTls, SmtpRelay, Timeouts},
    domain::{address::EmailAddress, delivery::Phase},
};

const MESSAGE: &[u8] = b"Subject: Soups\r\n\r\n.Five of them.\r\n";
const ANSWERS: &str = "250 2.1.0 sender\r\n250 2.1.5 reader\r\n354 go ahead\r\n";

/// One answer of the server: what it waits for, and what it says then.
type Turn = (&'static str, String);

/// A server that offers PIPELINING and takes one connection. It hands back
/// everything it was told after EHLO.
async fn serve(turns: Vec<Turn>) -> (Session, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut heard = String::new();
        say(&mut socket, "220 relay\r\n").await;
        until(&mut socket, &mut heard, "\r\n").await;
        say(&mut socket, "250-relay\r\n250 PIPELINING\r\n").await;
        heard.clear();
        for (awaited, words) in turns {
            until(&mut socket, &mut heard, awaited).await;
            say(&mut socket, &words).await;
        }
        socket.shutdown().await.ok();
        let mut rest = Vec::new();
        socket.read_to_end(&mut rest).await.ok();
        heard + &String::from_utf8(rest).unwrap()
    });
    let limit = Duration::from_secs(10);
    let timeouts = Timeouts {
        connect: limit,
        greeting: limit,
        auth: limit,
        command: limit,
        data: limit,
        block: limit,
        dot: limit,
    };
    let relay = SmtpRelay {
        host: "127.0.0.1".to_owned(),
        port,
        tls: RelayTls::None,
        login: None,
        password: None,
        password_file: None,
        tls_ca_file: None,
    };
    let dialer = Dialer::new(relay, "press.example.org", timeouts).unwrap();
    (dialer.open().await.unwrap(), serving)
}

/// Each byte in a packet of its own: replies are torn apart anywhere.
async fn say(socket: &mut TcpStream, words: &str) {
    socket.set_nodelay(true).unwrap();
    for byte in words.as_bytes() {
        if socket.write_all(&[*byte]).await.is_err() {
            return;
        }
    }
}

async fn until(socket: &mut TcpStream, heard: &mut String, end: &str) {
    while let Ok(byte) = socket.read_u8().await {
        heard.push(char::from(byte));
        if heard.ends_with(end) {
            return;
        }
    }
}

fn envelope(reader: &str) -> Envelope {
    Envelope::new(
        &"news@garden.example.org".parse().unwrap(),
        &reader.parse().unwrap(),
    )
    .unwrap()
}

fn commands(reader: &str) -> String {
    format!("MAIL FROM:<news@garden.example.org>\r\nRCPT TO:<{reader}>\r\nDATA\r\n")
}

/// These answers to a group, and this one to a message, if one is waited for;
/// then the server closes.
fn turns(answers: &str, to_dot: &str) -> Vec<Turn> {
    let mut turns = vec![("DATA\r\n", answers.to_owned())];
    if !to_dot.is_empty() {
        turns.push(("\r\n.\r\n", to_dot.to_owned()));
    }
    turns
}

/// What becomes of one group that is answered like this, whether the session
/// can go on, and what the server had heard at the end.
async fn opened(answers: &str, to_dot: &str) -> (Result<(), Trouble>, bool, String) {
    let turns = turns(answers, to_dot);
    let (mut session, serving) = serve(turns).await;
    let result = session.open(&envelope("anna@example.org")).await;
    let is_broken = session.is_broken();
    drop(session);
    (result, is_broken, serving.await.unwrap())
}

fn refused(phase: Phase, code: u16) -> impl Fn(&Trouble) -> bool {
    move |trouble| matches!(trouble, Trouble::Refused { phase: at, reply } if *at == phase && reply.code == code)
}

#[tokio::test]
async fn a_group_is_sent_whole_and_its_answers_are_read_in_their_turn() {
    for answers in [
        ANSWERS,
        "250-2.1.0 sender\r\n250 fine\r\n251-will\r\n251 forward\r\n354-go\r\n354 on\r\n",
    ] {
        let (result, is_broken, heard) = opened(answers, "").await;
        assert_eq!((result, is_broken), (Ok(()), false), "{answers}");
        assert_eq!(heard, commands("anna@example.org"));
    }
}

#[tokio::test]
async fn a_refusal_in_a_group_counts_by_its_command_and_leaves_the_session_usable() {
    for (answers, to_dot, phase, code, is_answered_with_dot) in [
        (
            "553 5.1.8 no\r\n503 5.5.1 no\r\n503 5.5.1 no\r\n",
            "",
            Phase::Mail,
            553,
            false,
        ),
        (
            "250 a\r\n550 5.1.1 no\r\n503 5.5.1 no\r\n",
            "",
            Phase::Rcpt,
            550,
            false,
        ),
        (
            "250 a\r\n450 4.2.1 no\r\n554 5.5.1 no\r\n",
            "",
            Phase::Rcpt,
            450,
            false,
        ),
        (
            "250 a\r\n250 b\r\n451 4.3.0 no\r\n",
            "",
            Phase::Data,
            451,
            false,
        ),
        // It asks for a message that is nobody's, and gets an empty one.
        (
            "250 a\r\n550 5.1.1 no\r\n354 go\r\n",
            "554 5.5.1 no\r\n",
            Phase::Rcpt,
            550,
            true,
        ),
    ] {
        let (result, is_broken, heard) = opened(answers, to_dot).await;
        assert!(refused(phase, code)(&result.unwrap_err()), "{answers}");
        assert!(!is_broken, "{answers}");
        let dot = if is_answered_with_dot { ".\r\n" } else { "" };
        assert_eq!(heard, commands("anna@example.org") + dot, "{answers}");
    }
}

#[tokio::test]
async fn a_session_that_got_out_of_step_after_a_refusal_is_not_used_again() {
    for (answers, to_dot, phase) in [
        // A message of a sender it has refused: not even an empty one.
        (
            "553 5.1.8 no\r\n250 b\r\n354 go\r\n",
            "250 taken\r\n",
            Phase::Mail,
        ),
        (
            "250 a\r\n550 5.1.1 no\r\n421 4.3.2 bye\r\n",
            "",
            Phase::Rcpt,
        ),
        ("250 a\r\n550 5.1.1 no\r\n250 what\r\n", "", Phase::Rcpt),
        ("250 a\r\n550 5.1.1 no\r\n", "", Phase::Rcpt),
        (
            "250 a\r\n550 5.1.1 no\r\n354 go\r\n",
            "250 taken\r\n",
            Phase::Rcpt,
        ),
        (
            "250 a\r\n550 5.1.1 no\r\n503 no\r\n250 more\r\n250 more\r\n",
            "",
            Phase::Rcpt,
        ),
    ] {
        let (mut session, serving) = serve(turns(answers, to_dot)).await;
        let anna = envelope("anna@example.org");
        let first = session.open(&anna).await.unwrap_err();
        assert_eq!(first.phase(), Some(phase), "{answers}: {first}");
        let is_out = session.is_broken() || session.open(&anna).await.is_err();
        assert!(is_out, "{answers}");
        drop(session);
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_too_many_or_out_of_place_ends_the_session_before_any_text() {
    for answers in [
        "250 a\r\n250 b\r\n354 go\r\n250 early\r\n",
        "250 a\r\n250 injected\r\n250 b\r\n354 go\r\n",
        "250 a\r\n354 injected\r\n250 b\r\n354 go\r\n",
        "354 go\r\n250 b\r\n250 c\r\n",
        "250 a\r\n250 b\r\nwhat?\r\n",
    ] {
        let (mut session, serving) = serve(vec![("DATA\r\n", answers.to_owned())]).await;
        // The server is in no hurry; everything must have come.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let result = session.open(&envelope("anna@example.org")).await;
        let is_seen = match result {
            Err(Trouble::Protocol { .. }) => true,
            // It came a moment too late for this: then the answer to the dot
            // is one out of place, and nobody is told that it was taken.
            Ok(()) => {
                session
                    .text([MESSAGE].into_iter(), MESSAGE.len())
                    .await
                    .unwrap();
                session.end(None).await.is_ok() && answers.ends_with("250 early\r\n")
            }
            Err(other) => panic!("{answers}: {other}"),
        };
        assert!(is_seen, "{answers}");
        drop(session);
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn a_group_cut_at_any_byte_is_lost_before_the_message() {
    for length in 0..ANSWERS.len() {
        let (result, _, heard) = opened(&ANSWERS[..length], "").await;
        assert!(
            matches!(result, Err(Trouble::Lost { .. })),
            "{length}: {result:?}"
        );
        assert_eq!(heard, commands("anna@example.org"), "{length}");
    }
}

#[tokio::test]
async fn the_next_group_travels_with_the_dot_and_is_answered_after_it() {
    let both = format!("250 2.0.0 taken\r\n{ANSWERS}");
    let turns = vec![("DATA\r\n", ANSWERS.to_owned()), ("DATA\r\n", both)];
    let (mut session, serving) = serve(turns).await;
    let ben = envelope("ben@example.com");
    session.open(&envelope("anna@example.org")).await.unwrap();
    session
        .text([MESSAGE].into_iter(), MESSAGE.len())
        .await
        .unwrap();
    assert_eq!(session.end(Some(&ben)).await.unwrap().code, 250);
    assert!(session.is_begun());
    session.open(&ben).await.unwrap();
    assert!(!session.is_begun());
    drop(session);
    let text = "Subject: Soups\r\n\r\n..Five of them.\r\n.\r\n";
    let expected = commands("anna@example.org") + text + &commands("ben@example.com");
    assert_eq!(serving.await.unwrap(), expected);
}

#[tokio::test]
async fn a_session_cut_after_the_dot_leaves_one_message_in_doubt_and_the_next_untouched() {
    let answers = format!("250 2.0.0 taken\r\n{ANSWERS}");
    let taken = "250 2.0.0 taken\r\n".len();
    for length in 0..answers.len() {
        let turns = vec![
            ("DATA\r\n", ANSWERS.to_owned()),
            ("DATA\r\n", answers[..length].to_owned()),
        ];
        let (mut session, serving) = serve(turns).await;
        let ben = envelope("ben@example.com");
        session.open(&envelope("anna@example.org")).await.unwrap();
        session
            .text([MESSAGE].into_iter(), MESSAGE.len())
            .await
            .unwrap();
        let first = session.end(Some(&ben)).await;
        if length < taken {
            assert!(
                matches!(first, Err(Trouble::Unanswered { .. })),
                "{length}: {first:?}"
            );
        } else {
            assert_eq!(first.unwrap().code, 250, "{length}");
            let next = session.open(&ben).await;
            assert!(
                matches!(next, Err(Trouble::Lost { .. })),
                "{length}: {next:?}"
            );
        }
        drop(session);
        let heard = serving.await.unwrap();
        assert!(heard.ends_with(&commands("ben@example.com")), "{heard}");
    }
}

#[tokio::test]
async fn what_was_refused_is_undone_in_the_same_group_as_the_next() {
    let refusal = "250 a\r\n550 5.1.1 no\r\n503 5.5.1 no\r\n";
    for (to_reset, is_well) in [("250 2.0.0 done\r\n", true), ("502 5.5.1 no\r\n", false)] {
        let again = format!("{to_reset}{ANSWERS}");
        let turns = vec![("DATA\r\n", refusal.to_owned()), ("DATA\r\n", again)];
        let (mut session, serving) = serve(turns).await;
        session
            .open(&envelope("anna@example.org"))
            .await
            .unwrap_err();
        let next = session.open(&envelope("ben@example.com")).await;
        // Any other answer is taken for a session that was lost while idle.
        let is_lost = matches!(
            next,
            Err(Trouble::Lost {
                phase: Phase::Mail,
                ..
            })
        );
        assert_eq!((next.is_ok(), is_lost), (is_well, !is_well), "{to_reset}");
        drop(session);
        let expected = commands("anna@example.org") + "RSET\r\n" + &commands("ben@example.com");
        assert_eq!(serving.await.unwrap(), expected);
    }
}

#[tokio::test]
async fn only_the_answer_to_ehlo_tells_what_the_relay_offers() {
    // Not a capability, and no fault either: words for people may be blank.
    for words in ["250  \r\n", "250 \t\r\n"] {
        let begun = words.repeat(2) + "354  \r\n";
        let turns = turns(&begun, words);
        let (mut session, serving) = serve(turns).await;
        session.open(&envelope("anna@example.org")).await.unwrap();
        session
            .text([MESSAGE].into_iter(), MESSAGE.len())
            .await
            .unwrap();
        assert_eq!(session.end(None).await.unwrap().code, 250, "{words:?}");
        drop(session);
        serving.await.unwrap();
    }
    let answers = "250 SIZE 10\r\n250 SMTPUTF8\r\n354 go\r\n";
    let (mut session, serving) = serve(turns(answers, "")).await;
    session.open(&envelope("anna@example.org")).await.unwrap();
    let zoe = EmailAddress::international("zoë@example.org").unwrap();
    let sender = "news@garden.example.org".parse().unwrap();
    assert!(!session.carries(&Envelope::new(&sender, &zoe).unwrap()));
    assert_eq!(session.largest(), None);
    drop(session);
    serving.await.unwrap();
}
