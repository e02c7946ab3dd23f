//! Lists that come in and go out.

use std::fmt::Write as _;

use crate::press::Press;

/// What an import said, but for whether it was meant.
fn report(press: &Press, arguments: &[&str], exit: i32) -> serde_json::Value {
    let all = [&["--format", "json", "subscribers", "import"], arguments].concat();
    let finished = press.run(&all);
    finished.exits(exit);
    let mut said = finished.json();
    said.as_object_mut().unwrap().remove("is_dry_run");
    said
}

fn statuses(press: &Press) -> Vec<(String, String)> {
    let list = press.run(&["--format", "json", "subscribers", "list"]);
    let rows = list.stdout.lines().map(|line| {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        (text("email"), text("status"))
    });
    rows.collect()
}

#[test]
fn lists_of_other_programs_are_taken_as_they_are_and_revive_nobody() {
    let press = Press::new();
    press.write(
        "mailchimp.csv",
        "\"Email Address\",\"First Name\",\"Last Name\",MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,UNSUB_TIME,TAGS\n\
         anna@example.org,Anna,Nkosi,2,,,\"2020-01-01 10:00:00\",192.0.2.1,,\"\"\"vip\"\"\"\n\
         ben@example.org,Ben,,2,,,,,\"2021-01-01 10:00:00\",\n",
    );
    press.write(
        "substack.csv",
        "email,active_subscription,expiry,plan,email_disabled,created_at,first_payment_at\n\
         carla@example.org,false,,other,false,2025-01-01,\n\
         dan@example.org,true,2027-01-01,monthly,true,2025-01-01,2025-01-01\n",
    );
    press.write(
        "ghost.csv",
        "id,email,name,note,subscribed_to_emails,complimentary_plan,stripe_customer_id,created_at,deleted_at,labels,tiers\n\
         1,eva@example.org,Eva,,true,,,2024-01-01,,,\n\
         2,finn@example.org,Finn,,false,,,2024-01-01,,,\n",
    );
    press.write(
        "listmonk.json",
        r#"{"data": {"results": [
            {"id": 1, "uuid": "x", "email": "gina@example.org", "name": "Gina", "attribs": {}, "status": "enabled"},
            {"id": 2, "uuid": "y", "email": "hugo@example.org", "name": "Hugo", "status": "blocklisted"}
        ], "total": 2}}"#,
    );
    press.write(
        "buttondown.csv",
        "email_address,notes,tags,type,unsubscription_date\n\
         ida@example.org,,,regular,\njan@example.org,,,unactivated,\nkim@example.org,,,undeliverable,\n",
    );
    let files = [
        "mailchimp.csv",
        "substack.csv",
        "ghost.csv",
        "listmonk.json",
        "buttondown.csv",
    ];
    for file in files {
        let dry = report(&press, &[file, "--dry-run"], 0);
        assert_eq!(report(&press, &[file], 0), dry, "{file}");
        assert_eq!(dry["faulty"], 0, "{dry}");
    }
    let expected = [
        ("anna", "active"),
        ("ben", "unsubscribed"),
        ("carla", "active"),
        ("dan", "unsubscribed"),
        ("eva", "active"),
        ("finn", "unsubscribed"),
        ("gina", "active"),
        ("hugo", "unsubscribed"),
        ("ida", "active"),
        ("jan", "pending"),
        ("kim", "bounced"),
    ];
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(name, status)| (format!("{name}@example.org"), (*status).to_owned()))
        .collect();
    assert_eq!(statuses(&press), expected);
    // The same lists once more, after everybody has left, been suppressed or erased.
    for (number, (address, _)) in expected.iter().enumerate() {
        let verb = ["unsubscribe", "suppress", "erase"][number % 3];
        press.run(&["subscribers", verb, address]).succeeds();
    }
    let before = statuses(&press);
    assert!(
        before.iter().all(|(_, status)| status != "active"),
        "{before:?}"
    );
    for file in files {
        let again = report(&press, &[file, "--status", "active"], 0);
        assert_eq!(again["added"], 0, "{again}");
    }
    assert_eq!(statuses(&press), before);
}

#[test]
fn a_part_of_the_list_is_what_its_readers_get_and_where_they_are() {
    let press = Press::new();
    press.write(
        "list.csv",
        "email,status,choice\n\
         all@example.org,active,\n\
         food@mail.example.org,active,sections=food\n\
         garden@example.net,active,sections=garden; language=af\n\
         gone@example.org,unsubscribed,sections=food\n",
    );
    press.run(&["subscribers", "import", "list.csv"]).succeeds();
    let emails = |arguments: &[&str]| -> Vec<String> {
        let all = [&["--format", "json", "subscribers", "list"], arguments].concat();
        let list = press.run(&all);
        let local = |line: &str| {
            let row: serde_json::Value = serde_json::from_str(line).unwrap();
            row["email"]
                .as_str()
                .unwrap()
                .split('@')
                .next()
                .unwrap()
                .to_owned()
        };
        list.succeeds().stdout.lines().map(local).collect()
    };
    for (arguments, expected) in [
        (&["--section", "food"][..], &["all", "food", "gone"][..]),
        (
            &["--section", "food", "--status", "active"],
            &["all", "food"],
        ),
        (&["--language", "af"], &["garden"]),
        (&["--language", "en"], &["all", "food", "gone"]),
        (&["--domain", "example.org"], &["all", "food", "gone"]),
        (&["--domain", "example.net"], &["garden"]),
        (&["--joined-from", "2026-11-28"], &[]),
        (
            &["--joined-until", "2026-11-27", "--limit", "2"],
            &["all", "food"],
        ),
        (&["--digest", "weekly", "--tag", "soup"], &["all"]),
    ] {
        assert_eq!(emails(arguments), expected, "{arguments:?}");
    }
    let export = press.run(&["subscribers", "export", "--section", "garden"]);
    export
        .succeeds()
        .says("2 readers exported")
        .conceals("food@");
    press
        .run(&["subscribers", "list", "--joined-from", "yesterday"])
        .exits(2);
}

#[test]
fn the_record_of_consent_is_shown_and_exported_and_a_person_gets_their_own_data() {
    let press = Press::new();
    press.write(
        "=list.csv",
        "email,name\nanna@example.org,Anna\nben@example.org,Ben\n",
    );
    press
        .run(&["subscribers", "import", "=list.csv"])
        .succeeds();
    press.run(&["run"]).succeeds();
    press
        .run(&["subscribers", "unsubscribe", "ben@example.org"])
        .succeeds();
    let consent = press.run(&["subscribers", "export", "--consent"]);
    consent
        .succeeds()
        .prints("email,at,kind,what,source,network,wording_sha256,wording")
        .prints("anna@example.org,2026-11-27T06:00:0")
        .prints("ben@example.org,2026-11-27T06:00:0")
        .prints(",left,unsubscribed,command line,,,");
    assert_eq!(consent.stdout.lines().count(), 4, "{consent}");
    let lines = press.run(&["--format", "json", "subscribers", "export", "--consent"]);
    let first: serde_json::Value =
        serde_json::from_str(lines.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["kind"], "imported");
    assert_eq!(first["source"], "import =list.csv");
    let own = press.run(&["subscribers", "export", "--of", "ben@example.org"]);
    let own = own.succeeds().json();
    assert_eq!(own["status"], "unsubscribed");
    assert_eq!(own["deliveries"][0]["state"], "sent");
    assert_eq!(own["consent"].as_array().unwrap().len(), 2);
    assert!(!own.to_string().contains("anna@"), "{own}");
    press
        .run(&["subscribers", "export", "--of", "nobody@example.org"])
        .exits(66);
    press
        .run(&["subscribers", "show", "ben@example.org"])
        .prints("added (import =list.csv)");
}

#[test]
fn growth_churn_and_what_came_back_add_up() {
    let press = Press::new();
    let mut list = String::from("email,status\n");
    for number in 0..20 {
        let status = if number < 18 {
            "active"
        } else {
            "unsubscribed"
        };
        let _ = writeln!(list, "reader{number}@example.org,{status}");
    }
    press.write("list.csv", &list);
    press.run(&["subscribers", "import", "list.csv"]).succeeds();
    press.run(&["run"]).succeeds();
    let mut press = press;
    press.at("2026-12-03T08:00:00+02:00");
    for number in 0..3 {
        let address = format!("reader{number}@example.org");
        press
            .run(&["subscribers", "unsubscribe", &address])
            .succeeds();
    }
    press
        .run(&["subscribers", "erase", "reader3@example.org"])
        .succeeds();
    press
        .run(&["subscribers", "add", "new@example.org"])
        .succeeds();
    let stats = press.run(&["--format", "json", "subscribers", "stats"]);
    let stats = stats.succeeds().json();
    assert_eq!(stats["readers"]["active"], 15, "{stats}");
    let months = stats["months"].as_array().unwrap();
    assert_eq!(months[0]["month"], "2026-11");
    assert_eq!(
        (&months[0]["joined"], &months[0]["active_at_end"]),
        (&18.into(), &18.into())
    );
    assert_eq!(months[0]["churn"], serde_json::Value::Null);
    assert_eq!(
        (&months[1]["left"], &months[1]["erased"]),
        (&3.into(), &1.into())
    );
    assert_eq!(months[1]["active_at_end"], 15);
    let churn = months[1]["churn"].as_f64().unwrap();
    assert!((churn - 4.0 / 18.0).abs() < 1e-9, "{churn}");
    assert_eq!(stats["issues"][0]["issue"], "weekly/1");
    assert_eq!(stats["issues"][0]["sent"], 18);
    assert_eq!(stats["issues"][0]["bounce_rate"], 0.0);
    press
        .run(&["subscribers", "stats"])
        .succeeds()
        .prints("22.22 %");
}

#[test]
fn of_a_hundred_thousand_rows_the_faulty_are_named_and_a_rehearsal_says_what_will_happen() {
    let press = Press::new();
    let mut list = String::from("Email Address,First Name,Last Name,TAGS\n");
    for number in 0..100_000 {
        let _ = match number % 50 {
            7 => writeln!(list, "nobody{number},Anna,Nkosi,"),
            _ => writeln!(list, "reader{number}@example.org,Anna,Nkosi,\"vip, x\""),
        };
    }
    press.write("list.csv", &list);
    let dry = report(&press, &["list.csv", "--dry-run", "--partial"], 0);
    assert_eq!(
        (&dry["added"], &dry["faulty"]),
        (&98_000.into(), &2_000.into())
    );
    assert_eq!(dry["problems"][1]["line"], 59);
    assert_eq!(report(&press, &["list.csv", "--partial"], 0), dry);
    // Without `--partial` it is all or nothing.
    let refused = report(&press, &["list.csv"], 65);
    assert_eq!(
        (&refused["added"], &refused["unchanged"]),
        (&0.into(), &98_000.into())
    );
}
