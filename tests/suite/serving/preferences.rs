//! A reader's own page: what they get, without a login.

use super::client::{Served, mails, path_to, unsubscribe_path};
use super::{everything, sent};
use crate::press::Press;

fn shown(press: &Press, address: &str) -> serde_json::Value {
    let shown = press.run(&["--format", "json", "subscribers", "show", address]);
    shown.succeeds().json()
}

/// Publishes something new in two sections and sends the next issue; hands
/// back the mail of each reader who got one.
fn next_issue(press: &mut Press, day: u32) -> Vec<(String, crate::mailbox::Mail)> {
    for (section, title) in [("food", "Plums"), ("garden", "Hedges")] {
        press.article(
            &format!("{section}/new-{day}.md"),
            &format!(
                "+++\ntitle = \"{title} {day}\"\ndate = 2026-12-{day:02}\n+++\nText of {title}.\n"
            ),
        );
    }
    let before = press.files("outbox");
    press.at(&format!("2026-12-{:02}T08:00:00+02:00", day + 1));
    press.run(&["send", "weekly"]).succeeds();
    let new = press
        .files("outbox")
        .into_iter()
        .filter(|file| !before.contains(file));
    let mails = new.map(|file| crate::mailbox::Mail::parse(&press.read_bytes(&file)));
    mails.map(|mail| (mail.to[0].clone(), mail)).collect()
}

#[test]
fn what_a_reader_chooses_is_what_the_next_issue_brings() {
    let mut press = sent(2);
    let mails = mails(&press);
    let (address, mail) = &mails[0];
    let path = path_to("preferences", mail);
    let served = Served::of(&press);
    let page = served.get(&path).is(200).text();
    assert!(
        page.contains("value=\"food\"") && page.contains("Garden"),
        "{page}"
    );
    assert!(
        !page.contains(address.as_str()),
        "a page that may be seen by others masks the address"
    );
    let form = "act=save&section=food&content=summary&language=af&name=N.%20D%0d%0aube&pause=none";
    let saved = served.post(&path, form).is(200).text();
    // In the language that was just chosen.
    assert!(
        saved.contains("lang=\"af\"") && saved.contains("Gestoor."),
        "{saved}"
    );
    let reader = shown(&press, address);
    assert_eq!(reader["name"], "N. D ube");
    assert!(
        press
            .run(&["why", address])
            .stdout
            .contains("sections=food; language=af; content=summary"),
        "{reader}"
    );
    let next = next_issue(&mut press, 2);
    assert_eq!(next.len(), 2);
    let own = &next.iter().find(|(to, _)| to == address).unwrap().1;
    let text = own.text.clone().unwrap();
    assert!(
        text.contains("Plums 2") && !text.contains("Hedges 2"),
        "{text}"
    );
    let other = &next.iter().find(|(to, _)| to != address).unwrap().1;
    assert!(other.text.clone().unwrap().contains("Hedges 2"));
    // The link of the next letter still works, and shows what was chosen.
    let again = served.get(&path_to("preferences", own)).is(200).text();
    assert!(again.contains("value=\"food\" checked"), "{again}");
    served.end().succeeds();
}

#[test]
fn who_pauses_gets_no_issue_until_the_pause_is_over_and_every_sum_holds() {
    let mut press = sent(2);
    let mails = mails(&press);
    let (address, mail) = &mails[0];
    let path = path_to("preferences", mail);
    let served = Served::of(&press);
    let page = served.post(&path, "act=save&pause=1").is(200).text();
    assert!(page.contains("4 December 2026"), "{page}");
    // Saving something else leaves the pause as it is.
    served
        .post(&path, "act=save&pause=keep&content=full")
        .is(200);
    let during = next_issue(&mut press, 2);
    assert_eq!(during.len(), 1);
    assert_ne!(&during[0].0, address);
    press.ledger().sums_hold();
    let story = press
        .run(&["issues", "show", "weekly/2"])
        .succeeds()
        .stdout
        .clone();
    assert!(story.contains("1 left out: paused"), "{story}");
    assert_eq!(next_issue(&mut press, 8).len(), 2, "a week has passed");
    press.ledger().sums_hold();
    served.end().succeeds();
}

#[test]
fn only_what_was_offered_is_kept_and_nobody_is_left_without_a_letter_by_mistake() {
    let press = sent(1);
    press.config(|settings| {
        let digests = settings["digest"].as_array_mut().unwrap();
        let mut second = digests[0].clone();
        second
            .as_table_mut()
            .unwrap()
            .insert("name".to_owned(), "monthly".into());
        digests.push(second);
    });
    let (address, mail) = &mails(&press)[0];
    let path = path_to("preferences", mail);
    let served = Served::of(&press);
    let before = everything(&press);
    let refused = served.post(&path, "act=save&section=food").is(400).text();
    assert!(refused.contains("Choose at least one letter"), "{refused}");
    served.post(&path, "act=dance").is(400);
    served.post(&path, "").is(400);
    assert!(everything(&press) == before, "something changed");
    let odd = "act=save&digest=weekly&digest=made-up&section=made-up&tag=..%2f&language=tlh&content=all&pause=99";
    served.post(&path, odd).is(200);
    assert!(
        press
            .run(&["why", address])
            .stdout
            .contains("digests=weekly")
    );
    assert!(!press.run(&["why", address]).stdout.contains("made-up"));
    // All of them is everything there will ever be.
    served
        .post(&path, "act=save&digest=weekly&digest=monthly")
        .is(200);
    let ledger = rusqlite::Connection::open(press.database()).unwrap();
    let sql = "SELECT choice_id IS NULL AND paused_until IS NULL FROM subscribers";
    assert!(
        ledger
            .query_row(sql, [], |row| row.get::<_, bool>(0))
            .unwrap()
    );
    served.end().succeeds();
}

#[test]
fn a_link_that_leads_to_nobody_is_answered_alike_and_leaving_works_here_too() {
    let press = sent(1);
    let (address, mail) = &mails(&press)[0];
    let path = path_to("preferences", mail);
    let served = Served::of(&press);
    let dead = served.get("/preferences/v1.a.b.c");
    dead.is(404);
    let unsubscribe = unsubscribe_path(mail).replace("/unsubscribe/", "/preferences/");
    let before = everything(&press);
    for path in [
        unsubscribe.as_str(),
        &path[..path.len() - 3],
        "/preferences/",
    ] {
        assert_eq!(served.get(path), dead, "{path}");
        assert_eq!(served.post(path, "act=leave"), dead, "{path}");
        assert_eq!(served.post(path, "act=save&name=x"), dead, "{path}");
    }
    assert!(everything(&press) == before, "something changed");
    served.post(&path, "act=leave").is(200);
    assert_eq!(shown(&press, address)["status"], "unsubscribed");
    let page = served.get(&path).is(200).text();
    assert!(page.contains("No letters are sent to you"), "{page}");
    served.end().succeeds();
}

#[test]
fn a_reader_takes_their_data_along_and_has_them_removed_with_a_second_thought() {
    let press = sent(2);
    let mails = mails(&press);
    let (address, mail) = &mails[0];
    let path = path_to("preferences", mail);
    let served = Served::of(&press);
    let file = served.post(&path, "act=export");
    assert_eq!(
        file.is(200).header("content-type"),
        Some("application/json")
    );
    let disposition = file.header("content-disposition").unwrap();
    assert!(disposition.starts_with("attachment"), "{disposition}");
    let data: serde_json::Value = serde_json::from_slice(&file.body).unwrap();
    assert_eq!(data["email"], address.as_str());
    assert!(
        data["consent"]
            .as_array()
            .unwrap()
            .iter()
            .any(|event| event["what"] == "added"),
        "{data}"
    );
    assert_eq!(data["deliveries"][0]["state"], "sent", "{data}");
    // Without the tick nothing happens.
    let before = everything(&press);
    assert!(before.contains(address.as_str()));
    served.post(&path, "act=erase").is(400);
    assert!(everything(&press) == before, "something changed");
    let page = served.get(&path).text();
    let erased = served.post(&path, "act=erase&sure=yes");
    assert!(
        erased
            .is(200)
            .text()
            .contains("Everything about you is removed")
    );
    assert!(!everything(&press).contains(address.as_str()));
    assert!(page.contains("Remove my data"));
    // The link leads to nobody now; leaving is answered as ever.
    served.get(&path).is(404);
    served.one_click(&unsubscribe_path(mail)).is(200);
    served.end().succeeds();
    for file in press.files(".") {
        let is_ours = file.contains("letterpress.db");
        let bytes = press.read_bytes(&file);
        let has = bytes
            .windows(address.len())
            .any(|part| part == address.as_bytes());
        assert!(!(is_ours && has), "{file} still names the reader");
    }
}
