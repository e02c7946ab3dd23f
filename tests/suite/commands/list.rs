//! `subscribers`: a status only moves toward less mail.

use crate::press::Press;

#[test]
fn a_reader_is_added_shown_and_unsubscribed() {
    let press = Press::new();
    press
        .run(&[
            "subscribers",
            "add",
            "Anna@example.org",
            "--name",
            "Anna Nkosi",
        ])
        .succeeds()
        .says("added");
    press
        .run(&["subscribers", "add", "anna@EXAMPLE.org"])
        .succeeds()
        .says("already on the list");
    press
        .run(&["subscribers", "show", "anna@example.org"])
        .prints("Anna Nkosi")
        .prints("active since");
    press
        .run(&["subscribers", "unsubscribe", "anna@example.org"])
        .succeeds()
        .says("unsubscribed");
    press
        .run(&["subscribers", "unsubscribe", "anna@example.org"])
        .succeeds()
        .says("was unsubscribed already");
    press
        .run(&["subscribers", "add", "anna@example.org"])
        .exits(65)
        .says("stays unsubscribed: only the reader can ask for more mail again");
    press
        .run(&["subscribers", "unsubscribe", "nobody@example.org"])
        .exits(66);
    press
        .run(&["subscribers", "add", "not an address"])
        .exits(65);
}

#[test]
fn the_list_can_be_read_by_people_and_programs() {
    let press = Press::new();
    press.subscribers(3);
    press
        .run(&[
            "subscribers",
            "add",
            "late@example.org",
            "--status",
            "pending",
        ])
        .succeeds();
    press
        .run(&["subscribers", "list", "--status", "pending"])
        .prints("late@example.org")
        .conceals("reader000001")
        .says("1 reader");
    let lines = press.run(&["--format", "json", "subscribers", "list", "--limit", "2"]);
    let rows: Vec<serde_json::Value> = lines
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 2, "{lines}");
    assert_eq!(rows[0]["status"], "active");
    press
        .run(&["subscribers", "list", "--status", "inactive"])
        .exits(2);
}

#[test]
fn an_import_reports_by_line_and_is_all_or_nothing() {
    let press = Press::new();
    press.write(
        "list.csv",
        "Email,Full name,Status\nanna@example.org,Anna,active\nnobody,Nobody,active\n\
         \"eve@example.org\r\nBcc: x@example.org\",Eve,active\nben@example.org,Ben,dormant\n\
         ANNA@example.org,Anna again,active\n",
    );
    let import = |more: &[&str]| {
        let mut arguments = vec!["subscribers", "import", "list.csv"];
        arguments.extend(more);
        press.run(&arguments)
    };
    for refused in [import(&[]), import(&["--dry-run"])] {
        refused
            .exits(65)
            .prints("list.csv:3: error: `nobody`: ")
            .prints("list.csv:4: error: ")
            .prints("control character")
            .prints("list.csv:6: error: ")
            .says("error: 3 lines cannot be used, nothing was imported");
    }
    press.run(&["subscribers", "list"]).conceals("anna");
    let partial = import(&["--partial", "--format", "json"]);
    partial.succeeds();
    let report = partial.json();
    assert_eq!(report["added"], 1, "{partial}");
    assert_eq!(report["faulty"], 3, "{partial}");
    assert_eq!(report["repeated"], 1, "{partial}");
    press
        .run(&["subscribers", "list"])
        .prints("anna@example.org");
    press.run(&["subscribers", "import", "none.csv"]).exits(66);
    press
        .run_with(
            &["subscribers", "import", "-"],
            b"email\ncleo@example.org\n",
        )
        .succeeds()
        .prints("1 added");
}

#[test]
fn an_import_brings_nobody_back() {
    let press = Press::new();
    let everybody = "email,status\nleft@example.org,active\nbounced@example.org,active\n\
                     complained@example.org,active\nwaiting@example.org,pending\n";
    press.write("all.csv", everybody);
    press
        .run(&["subscribers", "import", "all.csv"])
        .succeeds()
        .prints("4 added");
    press.write(
        "gone.csv",
        "email,status\nleft@example.org,unsubscribed\nbounced@example.org,bounced\n\
         complained@example.org,complained\n",
    );
    press
        .run(&["subscribers", "import", "gone.csv", "--dry-run"])
        .succeeds()
        .prints("3 would be moved toward less mail");
    press
        .run(&["subscribers", "list", "--status", "active"])
        .prints("left@example.org");
    press
        .run(&["subscribers", "import", "gone.csv"])
        .succeeds()
        .prints("3 moved toward less mail");
    let back = everybody.replace("pending", "active");
    press.write("back.csv", &back);
    press.run(&["subscribers", "import", "back.csv"]).succeeds();
    press
        .run(&["subscribers", "list", "--status", "active"])
        .conceals("left@")
        .conceals("bounced@")
        .conceals("complained@")
        .conceals("waiting@");
}

#[test]
fn an_export_is_safe_to_open_and_can_be_imported_again() {
    let press = Press::new();
    press
        .run(&["subscribers", "add", "anna@example.org", "--name", "=cmd()"])
        .succeeds();
    press
        .run(&["subscribers", "add", "ben@example.org"])
        .succeeds();
    press
        .run(&["subscribers", "export"])
        .succeeds()
        .prints("email,name,status")
        .prints("anna@example.org,'=cmd(),active");
    press
        .run(&["subscribers", "export", "--raw"])
        .prints("anna@example.org,=cmd(),active");
    press
        .run(&[
            "subscribers",
            "export",
            "--status",
            "active",
            "--out",
            "out.csv",
        ])
        .succeeds()
        .says("2 readers exported");
    let mode = {
        use std::os::unix::fs::PermissionsExt;
        press
            .path("out.csv")
            .metadata()
            .unwrap()
            .permissions()
            .mode()
    };
    assert_eq!(mode & 0o777, 0o600, "a list of readers is nobody else's");
    press
        .run(&["subscribers", "import", "out.csv"])
        .succeeds()
        .prints("2 already there");
}
